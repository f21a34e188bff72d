# syntax=docker/dockerfile-upstream:1
# Shape of: github.com/moby/buildkit (Dockerfile)

ARG RUNC_VERSION=v1.1.14
ARG CONTAINERD_VERSION=v1.7.22
# the older one for tests
ARG CONTAINERD_ALT_VERSION_16=v1.6.36
ARG REGISTRY_VERSION=v2.8.3
ARG ROOTLESSKIT_VERSION=v2.3.1
ARG CNI_VERSION=v1.5.1
ARG GOTESTSUM_VERSION=v1.9.0
ARG DELVE_VERSION=v1.23.1

ARG GO_VERSION=1.22
ARG ALPINE_VERSION=3.20
ARG XX_VERSION=1.5.0
ARG KILN_DEBUG
ARG EXPORT_BASE=alpine

# one name for a platform each, because one of them is behind
FROM alpine:${ALPINE_VERSION} AS alpine-amd64
FROM alpine:${ALPINE_VERSION} AS alpine-arm
FROM alpine:${ALPINE_VERSION} AS alpine-arm64
FROM alpine:${ALPINE_VERSION} AS alpine-s390x
FROM alpine:edge@sha256:2d01a16bab53a8405876cec4c27235d47455a7b72b75334c614f2fb0968b3f90 AS alpine-riscv64
FROM alpine-$TARGETARCH AS alpinebase

FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS golatest

# fetches sources, each in a stage of its own
FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS git
RUN apk add --no-cache git

FROM golatest AS gobuild-base
RUN apk add --no-cache bash clang file git lld make musl-dev pkgconfig
COPY --link --from=xx / /

# debugger for the variant with one
FROM gobuild-base AS dlv
ARG DELVE_VERSION
RUN --mount=target=/root/.cache,type=cache \
  --mount=target=/go/pkg/mod,type=cache \
  GOBIN=/usr/bin go install example.org/delve/cmd/dlv@${DELVE_VERSION}

FROM git AS runc-src
ARG RUNC_VERSION
WORKDIR /usr/src
RUN git clone https://git.example.org/runc.git runc \
  && git -C runc checkout -q "$RUNC_VERSION"

FROM gobuild-base AS runc
WORKDIR $GOPATH/src/example.org/runc
ARG TARGETPLATFORM
# libgcc comes with the compiler only
RUN set -e; xx-apk add gcc libseccomp-dev libseccomp-static musl-dev; \
  [ "$(xx-info arch)" != "ppc64le" ] || XX_CC_PREFER_LINKER=ld xx-clang --setup-target-triple
RUN --mount=from=runc-src,src=/usr/src/runc,target=. \
  --mount=target=/root/.cache,type=cache <<EOT
  set -ex
  CGO_ENABLED=1 xx-go build -mod=vendor -ldflags '-extldflags -static' -tags 'netgo cgo static_build' -o /usr/bin/runc ./
  xx-verify --static /usr/bin/runc
  if [ "$(xx-info os)" = "linux" ]; then /usr/bin/runc --version; fi
EOT

FROM gobuild-base AS kiln-base
WORKDIR /src
ENV GOFLAGS=-mod=vendor

# the version is taken from the repository once
FROM kiln-base AS kiln-version
# PKG is also in the Makefile
RUN --mount=target=. <<'EOT'
  git rev-parse HEAD || git_error=$?
  PKG=example.org/kiln
  if [ -n "$git_error" ]; then
    VERSION=v0.0.0+unknown
    REVISION=0000000000000000000000000000000000000000
  else
    VERSION=$(git describe --match 'v[0-9]*' --dirty='.m' --always --tags)
    REVISION=$(git rev-parse HEAD)$(if ! git diff --no-ext-diff --quiet --exit-code; then echo .m; fi)
  fi
  echo "-X ${PKG}/version.Version=${VERSION} -X ${PKG}/version.Revision=${REVISION}" > /tmp/.ldflags
  echo -n "${VERSION}" > /tmp/.version
EOT

FROM kiln-base AS kilnctl
ENV CGO_ENABLED=0
ARG TARGETPLATFORM
RUN --mount=target=. --mount=target=/root/.cache,type=cache \
  --mount=target=/go/pkg/mod,type=cache \
  --mount=source=/tmp/.ldflags,target=/tmp/.ldflags,from=kiln-version <<EOT
  set -ex
  xx-go build -ldflags "$(cat /tmp/.ldflags)" -o /usr/bin/kilnctl ./cmd/kilnctl
  xx-verify --static /usr/bin/kilnctl
EOT

FROM kiln-base AS kilnd
# KILND_TAGS defines additional Go build tags for compiling kilnd
ARG KILND_TAGS
ARG TARGETPLATFORM
ARG GOBUILDFLAGS
ARG VERIFYFLAGS="--static"
ARG CGO_ENABLED=0
ARG KILN_DEBUG
ARG GOGCFLAGS=${KILN_DEBUG:+"all=-N -l"}
RUN --mount=target=. --mount=target=/root/.cache,type=cache \
  --mount=target=/go/pkg/mod,type=cache \
  --mount=source=/tmp/.ldflags,target=/tmp/.ldflags,from=kiln-version <<EOT
  set -ex
  xx-go build ${GOBUILDFLAGS} -gcflags="${GOGCFLAGS}" -ldflags "$(cat /tmp/.ldflags) -extldflags '-static'" -tags "osusergo netgo seccomp ${KILND_TAGS}" -o /usr/bin/kilnd ./cmd/kilnd
  xx-verify ${VERIFYFLAGS} /usr/bin/kilnd

  # the emulator is not always up to it
  set +ex
  if [ "$(xx-info os)" = "linux" ]; then
    for attempt in 1 2 3 4 5; do
      timeout 3 /usr/bin/kilnd --version && break
      sleep 1
    done
  fi
EOT

FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS cni-plugins
RUN apk add --no-cache curl
COPY --link --from=xx / /
ARG CNI_VERSION
ARG TARGETOS
ARG TARGETARCH
ARG TARGETPLATFORM
WORKDIR /opt/cni/bin
RUN curl -Ls https://releases.example.org/cni/${CNI_VERSION}/cni-plugins-${TARGETOS}-${TARGETARCH}-${CNI_VERSION}.tgz | tar xzv
RUN xx-verify --static bridge loopback host-local

FROM scratch AS cni-plugins-export
COPY --link --from=cni-plugins /opt/cni/bin/bridge /kiln-cni-bridge
COPY --link --from=cni-plugins /opt/cni/bin/loopback /kiln-cni-loopback
COPY --link --from=cni-plugins /opt/cni/bin/host-local /kiln-cni-host-local

FROM scratch AS cni-plugins-export-squashed
COPY --from=cni-plugins-export / /

FROM scratch AS binaries-linux
COPY --link --from=runc /usr/bin/runc /kiln-runc
COPY --link --from=tonistiigi/binfmt:buildkit-v8.1.5-43@sha256:92c1ca2b4b0cd0e5aeb3dcb8a5ef30bbd3a2a8d6b7a29c2f3ae0e4a13f90c4e1 / /
COPY --link --from=cni-plugins-export-squashed / /
COPY --link --from=kilnctl /usr/bin/kilnctl /
COPY --link --from=kilnd /usr/bin/kilnd /

FROM scratch AS binaries-darwin
COPY --link --from=kilnctl /usr/bin/kilnctl /

FROM scratch AS binaries-windows
COPY --link --from=kilnctl /usr/bin/kilnctl /kilnctl.exe
COPY --link --from=kilnd /usr/bin/kilnd /kilnd.exe

FROM binaries-$TARGETOS AS binaries
# this stage is listed in the bill of materials
ARG BUILDKIT_SBOM_SCAN_STAGE=true

FROM --platform=$BUILDPLATFORM alpine:${ALPINE_VERSION} AS releaser
RUN apk add --no-cache tar gzip
WORKDIR /work
ARG TARGETPLATFORM
RUN --mount=from=binaries \
  --mount=source=/tmp/.version,target=/tmp/.version,from=kiln-version \
  mkdir -p /out && tar czvf "/out/kiln-$(cat /tmp/.version).$(echo $TARGETPLATFORM | sed 's/\//-/g').tar.gz" --mtime='2015-10-21 00:00Z' --sort=name --transform 's/^./bin/' .

FROM scratch AS release
COPY --link --from=releaser /out/ /

FROM alpinebase AS kiln-export-alpine
RUN apk add --no-cache fuse3 git openssh pigz xz iptables ip6tables \
  && ln -s fusermount3 /usr/bin/fusermount
VOLUME /var/lib/kiln

FROM ubuntu:24.04 AS kiln-export-ubuntu
RUN apt-get update \
  && apt-get install --no-install-recommends -y \
    ca-certificates \
    fuse3 \
    git \
    openssh-client \
    pigz \
    xz-utils \
  && rm -rf /var/lib/apt/lists/*
VOLUME /var/lib/kiln

FROM kiln-export-${EXPORT_BASE} AS kiln-export
COPY --link examples/daemonless.sh /usr/bin/kilnctl-daemonless.sh

FROM git AS containerd-src
ARG CONTAINERD_VERSION
ARG CONTAINERD_ALT_VERSION_16
WORKDIR /usr/src
RUN git clone https://git.example.org/containerd.git containerd

FROM gobuild-base AS containerd-base
WORKDIR /go/src/example.org/containerd
ARG TARGETPLATFORM
ENV CGO_ENABLED=1 BUILDTAGS=no_btrfs GO111MODULE=off
RUN xx-apk add musl-dev gcc && xx-go --wrap

FROM containerd-base AS containerd
ARG CONTAINERD_VERSION
RUN --mount=from=containerd-src,src=/usr/src/containerd,readwrite --mount=target=/root/.cache,type=cache \
  git fetch origin \
  && git checkout -q "$CONTAINERD_VERSION" \
  && make bin/containerd bin/containerd-shim-runc-v2 bin/ctr \
  && mv bin /out

FROM containerd-base as containerd-alt-16
ARG CONTAINERD_ALT_VERSION_16
RUN --mount=from=containerd-src,src=/usr/src/containerd,readwrite --mount=target=/root/.cache,type=cache \
  git fetch origin \
  && git checkout -q "$CONTAINERD_ALT_VERSION_16" \
  && make bin/containerd \
  && mv bin /out

ARG REGISTRY_VERSION
FROM registry:$REGISTRY_VERSION AS registry

FROM gobuild-base AS rootlesskit
ARG ROOTLESSKIT_VERSION
RUN git clone https://git.example.org/rootlesskit.git /go/src/example.org/rootlesskit
WORKDIR /go/src/example.org/rootlesskit
ARG TARGETPLATFORM
RUN  --mount=target=/root/.cache,type=cache \
  git checkout -q "$ROOTLESSKIT_VERSION"  && \
  CGO_ENABLED=0 xx-go build -o /rootlesskit ./cmd/rootlesskit && \
  xx-verify --static /rootlesskit

FROM gobuild-base AS gotestsum
ARG GOTESTSUM_VERSION
RUN --mount=target=/root/.cache,type=cache \
  GOBIN=/out/ go install "example.org/gotestsum@${GOTESTSUM_VERSION}" && \
  /out/gotestsum --version

FROM kiln-export AS kiln-linux
COPY --link --from=binaries / /usr/bin/
ENV KILN_SETUP_CGROUPV2_ROOT=1
ENTRYPOINT ["kilnd"]

FROM kiln-linux AS kiln-linux-debug
COPY --link --from=dlv /usr/bin/dlv /usr/bin/dlv
COPY --link --chmod=755 <<EOF /docker-entrypoint.sh
#!/bin/sh
exec dlv exec /usr/bin/kilnd \\
  --api-version=2 \\
  -l 0.0.0.0:\${DELVE_PORT:-5000} \\
  --headless=true \\
  --continue \\
  -- "\$@"
EOF
ENV DELVE_PORT 5000
ENTRYPOINT ["/docker-entrypoint.sh"]

FROM binaries AS kiln-darwin

FROM binaries AS kiln-windows

FROM kiln-base AS integration-tests-base
ENV KILN_INTEGRATION_ROOTLESS_IDPAIR="1000:1000"
RUN apk add --no-cache curl fuse git-daemon iproute2 iptables shadow shadow-uidmap slirp4netns sudo vim \
  && useradd --create-home --home-dir /home/user --uid 1000 -s /bin/sh user \
  && echo "XDG_RUNTIME_DIR=/run/user/1000; export XDG_RUNTIME_DIR" >> /home/user/.profile \
  && mkdir -m 0700 -p /run/user/1000 \
  && chown -R user /run/user/1000 /home/user \
  && xx-go --wrap
ENV KILN_INTEGRATION_CONTAINERD_EXTRA="containerd-1.6=/opt/containerd-alt-16/bin"
ENV CGO_ENABLED=0
ENV GOTESTSUM_FORMAT=standard-verbose
COPY --link --from=gotestsum /out/gotestsum /usr/bin/
COPY --link --from=rootlesskit /rootlesskit /usr/bin/
COPY --link --from=containerd-alt-16 /out/containerd* /opt/containerd-alt-16/bin/
COPY --link --from=registry /bin/registry /usr/bin/
COPY --link --from=runc /usr/bin/runc /usr/bin/
COPY --link --from=containerd /out/containerd* /usr/bin/
COPY --link --from=cni-plugins /opt/cni/bin/bridge /opt/cni/bin/host-local /opt/cni/bin/loopback /opt/cni/bin/firewall /opt/cni/bin/
COPY --link hack/fixtures/cni.json /etc/kiln/cni.json
COPY --link --from=binaries / /usr/bin/

FROM integration-tests-base AS integration-tests
COPY . .
ENV KILN_RUN_NETWORK_INTEGRATION_TESTS=1 KILN_CNI_INIT_LOCK_PATH=/run/kiln_cni_bridge.lock

FROM integration-tests AS dev-env
VOLUME /var/lib/kiln

# without root
FROM alpinebase AS rootless
RUN apk add --no-cache fuse3 fuse-overlayfs git openssh pigz shadow-uidmap xz
RUN adduser -D -u 1000 user \
  && mkdir -p /run/user/1000 /home/user/.local/tmp /home/user/.local/share/kiln \
  && chown -R user /run/user/1000 /home/user \
  && echo user:100000:65536 | tee /etc/subuid | tee /etc/subgid
COPY --link --from=rootlesskit /rootlesskit /usr/bin/
COPY --link --from=binaries / /usr/bin/
# a number, for those who check that it is not 0
USER 1000:1000
ENV HOME /home/user
ENV USER user
ENV XDG_RUNTIME_DIR=/run/user/1000
ENV TMPDIR=/home/user/.local/tmp
ENV KILN_HOST=unix:///run/user/1000/kiln/kilnd.sock
VOLUME /home/user/.local/share/kiln
ENTRYPOINT ["rootlesskit", "kilnd"]

FROM kiln-${TARGETOS}${KILN_DEBUG:+-debug} AS kiln
