# syntax=docker/dockerfile:1
# Shape of: github.com/tonistiigi/binfmt (Dockerfile)

ARG GO_VERSION=1.22
ARG ALPINE_VERSION=3.20
ARG XX_VERSION=1.5.0

ARG EMU_VERSION=HEAD
ARG EMU_REPO=https://git.example.org/emu

FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS src
RUN apk add --no-cache git patch

WORKDIR /src
ARG EMU_VERSION
ARG EMU_REPO
RUN git clone $EMU_REPO && cd emu && git checkout $EMU_VERSION
COPY patches patches
# EMU_PATCHES the directories of changes to the sources
ARG EMU_PATCHES=cpu-max-arm
# EMU_PATCHES_ALL those and the distribution's
ARG EMU_PATCHES_ALL=${EMU_PATCHES},alpine-patches
ARG EMU_KEEP_ARGV0
RUN <<eof
  set -ex
  if [ "${EMU_PATCHES_ALL#*alpine-patches}" != "${EMU_PATCHES_ALL}" ]; then
    ver="$(cat emu/VERSION)"
    for l in $(cat patches/ports.config); do
      if [ "${ver%.*}" = "$(echo $l | cut -d, -f1)" ]; then
        commit=$(echo $l | cut -d, -f2)
        break
      fi
    done
    git clone https://git.example.org/ports.git && cd ports
    git checkout "$commit"
    mkdir -p ../patches/alpine-patches
    cp -a emu/*.patch ../patches/alpine-patches/
    cd - && rm -rf ports
  fi
  if [ -n "${EMU_KEEP_ARGV0}" ]; then
    EMU_PATCHES_ALL="${EMU_PATCHES_ALL},keep-argv0"
  fi
  cd emu
  for p in $(echo $EMU_PATCHES_ALL | tr ',' '\n'); do
    for f in  ../patches/$p/*.patch; do echo "apply $f"; patch -p1 < $f; done
  done
eof

FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS base
RUN apk add --no-cache bash clang gcc git glib-dev lld llvm make musl-dev ninja perl pkgconfig python3
COPY --from=xx / /
ENV PATH=/emu/install-scripts:$PATH
WORKDIR /emu

ARG TARGETPLATFORM
RUN xx-apk add --no-cache gcc glib-dev glib-static linux-headers musl-dev zlib-static
RUN set -e; \
  [ "$(xx-info arch)" = "ppc64le" ] && XX_CC_PREFER_LINKER=ld xx-clang --setup-target-triple; \
  true

FROM base AS build
ARG TARGETPLATFORM
# EMU_TARGETS machines to emulate, every one by default
ARG EMU_VERSION EMU_TARGETS
ENV AR=llvm-ar STRIP=llvm-strip
RUN --mount=target=.,from=src,src=/src/emu,rw --mount=target=./install-scripts,src=scripts \
  TARGETPLATFORM=${TARGETPLATFORM} configure_emu.sh && \
  make -j "$(getconf _NPROCESSORS_ONLN)" && \
  make install && \
  cd /usr/bin && for f in $(ls emu-*); do xx-verify --static $f; done

ARG BINARY_PREFIX
RUN cd /usr/bin; [ -z "$BINARY_PREFIX" ] || for f in $(ls emu-*); do ln -s $f $BINARY_PREFIX$f; done

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS register
COPY --from=xx / /
ENV CGO_ENABLED=0
ARG TARGETPLATFORM
ARG EMU_VERSION
WORKDIR /src
RUN apk add --no-cache git
RUN --mount=target=. \
  TARGETPLATFORM=$TARGETPLATFORM xx-go build \
    -ldflags "-X main.revision=$(git rev-parse --short HEAD) -X main.version=${EMU_VERSION}" \
    -o /go/bin/register ./cmd/register && \
    xx-verify --static /go/bin/register

FROM scratch AS binaries
# BINARY_PREFIX comes before the names of the programs
ARG BINARY_PREFIX
COPY --from=build usr/bin/${BINARY_PREFIX}emu-* /

FROM --platform=$BUILDPLATFORM tonistiigi/bats-assert AS assert

FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS crossarch
RUN apk add --no-cache bash
# the binary of another machine, without running one
ARG BUILDARCH
RUN <<eof
  bash -euo pipefail -c '
    if [ "$BUILDARCH" == "amd64" ]; then
      echo "aarch64" > /etc/apk/arch
    else
      echo "x86_64" > /etc/apk/arch
    fi
    '
eof
RUN apk add --allow-untrusted --no-cache busybox-static

FROM golang:${GO_VERSION}-alpine AS test
RUN apk add --no-cache bash bats
WORKDIR /work
COPY --from=assert . .
COPY test .
COPY --from=binaries / /usr/bin
COPY --from=crossarch /bin/busybox.static /crossarch/bin/
RUN ./run.sh

FROM scratch AS image
COPY --from=binaries / /usr/bin/
COPY --from=register /go/bin/register /usr/bin/register
ARG EMU_KEEP_ARGV0
ENV EMU_KEEP_ARGV0=${EMU_KEEP_ARGV0}
ENTRYPOINT [ "/usr/bin/register" ]
VOLUME /tmp
