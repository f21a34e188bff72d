# syntax=docker/dockerfile:1
# Shape of: github.com/moby/moby (Dockerfile)

ARG GO_VERSION=1.22.8
ARG BASE_DEBIAN_DISTRO="bookworm"
ARG GOLANG_IMAGE="golang:${GO_VERSION}-${BASE_DEBIAN_DISTRO}"
ARG XX_VERSION=1.5.0

ARG JETTY_REPOSITORY=https://git.example.org/harbour/jetty
ARG JETTY_VERSION=v0.5.0

ARG HARBOUR_REPOSITORY="https://git.example.org/harbour/cli.git"
ARG HARBOUR_VERSION=v27.3.1
# an old client, for tests against an old server
ARG HARBOURCLI_INTEGRATION_VERSION=v17.06.2

# BUILDX_VERSION is what the development image gets
ARG BUILDX_VERSION=0.17.1
ARG COMPOSE_VERSION=v2.29.7

ARG SYSTEMD="false"
ARG FIREWALLD="false"
ARG DOCKER_STATIC=1

# REGISTRY_VERSION is the version of the registry that the tests push to.
# It must exist for all platforms of the tests.
ARG REGISTRY_VERSION=2.8.3

# cross compilation helper
FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

# stands in where a platform has no build of a dependency
FROM --platform=$BUILDPLATFORM busybox AS build-dummy
RUN mkdir -p /build
FROM scratch AS binary-dummy
COPY --from=build-dummy /build /build

# base
FROM --platform=$BUILDPLATFORM ${GOLANG_IMAGE} AS base
COPY --from=xx / /
# archives of packages are kept, for they land in a cache
RUN echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep-cache
RUN apt-get update && apt-get install --no-install-recommends -y file
ENV GO111MODULE=off
ENV GOTOOLCHAIN=local

FROM base AS criu
ADD --chmod=0644 https://download.example.org/criu/Debian_12/Release.key /etc/apt/trusted.gpg.d/criu.gpg.asc
RUN --mount=type=cache,sharing=locked,id=harbour-criu-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-criu-aptcache,target=/var/cache/apt \
        echo 'deb https://download.example.org/criu/Debian_12/ /' > /etc/apt/sources.list.d/criu.list \
        && apt-get update \
        && apt-get install -y --no-install-recommends criu \
        && install -D /usr/sbin/criu /build/criu \
        && /build/criu --version

# registry
FROM base AS registry-src
WORKDIR /usr/src/registry
RUN git init . && git remote add origin "https://git.example.org/distribution.git"

FROM base AS registry
WORKDIR /go/src/example.org/distribution
ARG REGISTRY_VERSION
ARG TARGETPLATFORM
RUN --mount=from=registry-src,src=/usr/src/registry,rw \
    --mount=type=cache,target=/root/.cache/go-build,id=registry-build-$TARGETPLATFORM \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=tmpfs,target=/go/src <<EOT
  set -ex
  export GOPATH="/go/src/example.org/distribution/vendor:$GOPATH"
  # a tag of this name exists since the first release
  git fetch -q --depth 1 origin v${REGISTRY_VERSION} +refs/tags/*:refs/tags/*
  git checkout -q FETCH_HEAD
  export CGO_ENABLED=0
  xx-go build -o /build/registry-v2 -v ./cmd/registry
  xx-verify /build/registry-v2
  # the first protocol is only tested where it ever ran
  case $TARGETPLATFORM in
    linux/amd64|linux/arm/v7|linux/ppc64le|linux/s390x)
      git fetch -q --depth 1 origin v2.1.0
      git checkout -q FETCH_HEAD
      GOOS=linux xx-go build -o /build/registry-v2-schema1 -v ./cmd/registry
      ;;
  esac
EOT

# go-swagger
FROM base AS swagger-src
WORKDIR /usr/src/swagger
RUN git init . && git remote add origin "https://git.example.org/swagger.git"
# changes only with the line below it
ARG GO_SWAGGER_VERSION=v0.30.5
RUN git fetch -q --depth 1 origin "${GO_SWAGGER_VERSION}" && git checkout -q FETCH_HEAD

FROM base AS swagger
WORKDIR /go/src/example.org/swagger
ARG TARGETPLATFORM
RUN --mount=from=swagger-src,src=/usr/src/swagger,target=. \
    --mount=type=cache,target=/root/.cache/go-build,id=swagger-build-$TARGETPLATFORM \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=tmpfs,target=/go/src/ <<EOT
  set -e
  GO111MODULE=on xx-go build -o /build/swagger ./cmd/swagger
  xx-verify /build/swagger
EOT

# frozen-images
# The tests keep a list of the same images, which
# must be changed along with this one
FROM debian:${BASE_DEBIAN_DISTRO} AS frozen-images
RUN --mount=type=cache,sharing=locked,id=harbour-frozen-images-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-frozen-images-aptcache,target=/var/cache/apt \
       apt-get update && apt-get install -y --no-install-recommends \
           ca-certificates \
           curl \
           jq
COPY contrib/download-frozen-image.sh /
ARG TARGETARCH
ARG TARGETVARIANT
RUN /download-frozen-image.sh /build \
        busybox:latest@sha256:95cf004f559831017cdf4628aaf1bb30133677be8702a8c5f2994629f637a209 \
        busybox:glibc@sha256:1f81263701cddf6402afe9f33fca0266d9fff379e59b1748f33d3072da71ee85 \
        debian:bookworm-slim@sha256:2bc5c236e9b262645a323e9088dfa3bb1ecb16cc75811daf40a23a824d665be9 \
        hello-world:latest@sha256:d58e752213a51785838f9eed2b7a498ffa1cb3aa7f946dda11af39286c3db9a9

# delve
FROM base AS delve-src
WORKDIR /usr/src/delve
RUN git init . && git remote add origin "https://git.example.org/delve.git"
ARG DELVE_VERSION=v1.23.0
RUN git fetch -q --depth 1 origin "${DELVE_VERSION}" +refs/tags/*:refs/tags/* && git checkout -q FETCH_HEAD

FROM base AS delve-supported
WORKDIR /usr/src/delve
ARG TARGETPLATFORM
RUN --mount=from=delve-src,src=/usr/src/delve,rw \
    --mount=type=cache,target=/root/.cache/go-build,id=delve-build-$TARGETPLATFORM \
    --mount=type=cache,target=/go/pkg/mod <<EOT
  set -e
  GO111MODULE=on xx-go build -o /build/dlv ./cmd/dlv
  xx-verify /build/dlv
EOT

FROM binary-dummy AS delve-unsupported
FROM delve-supported AS delve-linux-amd64
FROM delve-supported AS delve-linux-arm64
FROM delve-unsupported AS delve-linux-s390x
FROM delve-unsupported AS delve-linux-riscv64
FROM delve-${TARGETOS}-${TARGETARCH} AS delve

FROM base AS gowinres
# GOWINRES_VERSION resources for the other system
ARG GOWINRES_VERSION=v0.3.1
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
        GOBIN=/build/ GO111MODULE=on go install "example.org/tc/go-winres@${GOWINRES_VERSION}" \
     && /build/go-winres --help

# containerd
FROM base AS containerd-src
WORKDIR /usr/src/containerd
RUN git init . && git remote add origin "https://git.example.org/containerd.git"
# CONTAINERD_VERSION is that of the daemon which tests are run
# with, of the same branch as the library.
ARG CONTAINERD_VERSION=v1.7.22
RUN git fetch -q --depth 1 origin "${CONTAINERD_VERSION}" +refs/tags/*:refs/tags/* && git checkout -q FETCH_HEAD

FROM base AS containerd-build
WORKDIR /go/src/example.org/containerd
ARG TARGETPLATFORM
RUN --mount=type=cache,sharing=locked,id=harbour-containerd-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-containerd-aptcache,target=/var/cache/apt \
        apt-get update && xx-apt-get install -y --no-install-recommends \
            gcc \
            pkg-config
ARG DOCKER_STATIC
RUN --mount=from=containerd-src,src=/usr/src/containerd,rw \
    --mount=type=cache,target=/root/.cache/go-build,id=containerd-build-$TARGETPLATFORM <<EOT
  set -e
  export CC=$(xx-info)-gcc
  export CGO_ENABLED=$([ "$DOCKER_STATIC" = "1" ] && echo "0" || echo "1")
  xx-go --wrap
  make $([ "$DOCKER_STATIC" = "1" ] && echo "STATIC=1") binaries
  xx-verify $([ "$DOCKER_STATIC" = "1" ] && echo "--static") bin/containerd
  mkdir /build
  mv bin/containerd bin/containerd-shim-runc-v2 bin/ctr /build
EOT

FROM containerd-build AS containerd-linux
FROM binary-dummy AS containerd-windows
FROM containerd-${TARGETOS} AS containerd

# runc
FROM base AS runc-src
WORKDIR /usr/src/runc
RUN git init . && git remote add origin "https://git.example.org/runc.git"
ARG RUNC_VERSION=v1.1.14
RUN git fetch -q --depth 1 origin "${RUNC_VERSION}" +refs/tags/*:refs/tags/* && git checkout -q FETCH_HEAD

FROM base AS runc-build
WORKDIR /go/src/example.org/runc
ARG TARGETPLATFORM
RUN --mount=type=cache,sharing=locked,id=harbour-runc-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-runc-aptcache,target=/var/cache/apt \
        apt-get update && xx-apt-get install -y --no-install-recommends \
            dpkg-dev \
            gcc \
            libc6-dev \
            libseccomp-dev \
            pkg-config
ARG DOCKER_STATIC
RUN --mount=from=runc-src,src=/usr/src/runc,rw \
    --mount=type=cache,target=/root/.cache/go-build,id=runc-build-$TARGETPLATFORM <<EOT
  set -e
  xx-go --wrap
  CGO_ENABLED=1 make "$([ "$DOCKER_STATIC" = "1" ] && echo "static" || echo "runc")"
  xx-verify $([ "$DOCKER_STATIC" = "1" ] && echo "--static") runc
  mkdir /build
  mv runc /build/
EOT

FROM runc-build AS runc-linux
FROM binary-dummy AS runc-windows
FROM runc-${TARGETOS} AS runc

# tini
FROM base AS tini-src
WORKDIR /usr/src/tini
RUN git init . && git remote add origin "https://git.example.org/tini.git"
ARG TINI_VERSION=v0.19.0
RUN git fetch -q --depth 1 origin "${TINI_VERSION}" +refs/tags/*:refs/tags/* && git checkout -q FETCH_HEAD

FROM base AS tini-build
WORKDIR /go/src/example.org/tini
RUN --mount=type=cache,sharing=locked,id=harbour-tini-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-tini-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install -y --no-install-recommends cmake
ARG TARGETPLATFORM
RUN --mount=from=tini-src,src=/usr/src/tini,rw \
    --mount=type=cache,target=/root/.cache/go-build,id=tini-build-$TARGETPLATFORM <<EOT
  set -e
  CC=$(xx-info)-gcc cmake .
  make tini-static
  xx-verify --static tini-static
  mkdir /build
  mv tini-static /build/docker-init
EOT

FROM tini-build AS tini-linux
FROM binary-dummy AS tini-windows
FROM tini-${TARGETOS} AS tini

# rootlesskit
FROM base AS rootlesskit-linux
ARG ROOTLESSKIT_VERSION=v2.3.1
ARG TARGETPLATFORM
ENV GO111MODULE=on
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build,id=rootlesskit-build-$TARGETPLATFORM <<EOT
  set -e
  export CGO_ENABLED=0
  GOBIN=/build xx-go install "example.org/rootlesskit/cmd/rootlesskit@${ROOTLESSKIT_VERSION}"
EOT
COPY --link ./contrib/rootless.sh /build/
COPY --link ./contrib/rootless-setup.sh /build/

FROM binary-dummy AS rootlesskit-windows
FROM rootlesskit-${TARGETOS} AS rootlesskit

FROM base AS crun
# CRUN_VERSION a second runtime, for comparison
ARG CRUN_VERSION=1.12
RUN --mount=type=cache,sharing=locked,id=harbour-crun-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-crun-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install -y --no-install-recommends \
            autoconf \
            automake \
            build-essential \
            libcap-dev \
            libseccomp-dev \
            libtool \
            libyajl-dev \
            ;
RUN --mount=type=tmpfs,target=/tmp/crun-build \
    git clone https://git.example.org/crun.git /tmp/crun-build && \
    cd /tmp/crun-build && \
    git checkout -q "${CRUN_VERSION}" && \
    ./autogen.sh && \
    ./configure --bindir=/build && \
    make -j install

# jetty
# use the binaries of a release where there are some
FROM scratch AS jetty-windows
FROM scratch AS jetty-linux
FROM jetty-linux AS jetty-linux-386
FROM jetty-linux AS jetty-linux-arm
FROM jetty-linux AS jetty-linux-s390x
FROM djs55/vpnkit:${JETTY_VERSION} AS jetty-linux-amd64
FROM djs55/vpnkit:${JETTY_VERSION} AS jetty-linux-arm64
FROM jetty-linux-${TARGETARCH} AS jetty

# containerutility
FROM base AS containerutil-src
WORKDIR /usr/src/containerutil
RUN git init . && git remote add origin "${JETTY_REPOSITORY}"

FROM base AS dev-systemd-false
COPY --link --from=frozen-images /build/ /docker-frozen-images
COPY --link --from=swagger       /build/ /usr/local/bin/
COPY --link --from=delve         /build/ /usr/local/bin/
COPY --link --from=gowinres      /build/ /usr/local/bin/
COPY --link --from=tini          /build/ /usr/local/bin/
COPY --link --from=registry      /build/ /usr/local/bin/
COPY --link --from=criu          /build/ /usr/local/bin/
COPY --link --from=runc          /build/ /usr/local/bin/
COPY --link --from=containerd    /build/ /usr/local/bin/
COPY --link --from=rootlesskit   /build/ /usr/local/bin/
COPY --link --from=jetty         /       /usr/local/bin/
COPY --link --from=crun          /build/ /usr/local/bin/
COPY --link hack/dind /usr/local/bin/
ENTRYPOINT ["hack/dind"]

FROM dev-systemd-false AS dev-systemd-true
RUN --mount=type=cache,sharing=locked,id=harbour-dev-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-dev-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install -y --no-install-recommends \
            dbus \
            dbus-user-session \
            systemd \
            systemd-sysv
ENTRYPOINT ["hack/dind-systemd"]

FROM dev-systemd-${SYSTEMD} AS dev-firewalld-false

FROM dev-systemd-true AS dev-firewalld-true
RUN --mount=type=cache,sharing=locked,id=harbour-dev-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-dev-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install -y --no-install-recommends \
            firewalld
RUN sed -i 's/FirewallBackend=nftables/FirewallBackend=iptables/' /etc/firewalld/firewalld.conf

FROM dev-firewalld-${FIREWALLD} AS dev-base
RUN groupadd -r harbour
RUN useradd --create-home --gid harbour unprivilegeduser \
 && mkdir -p /home/unprivilegeduser/.local/share/harbour \
 && chown -R unprivilegeduser /home/unprivilegeduser
# the prompt of the tree
RUN ln -sfv /go/src/example.org/harbour/.bashrc ~/.bashrc
# completion, if someone mounts it
RUN echo "source /usr/share/bash-completion/bash_completion" >> /etc/bash.bashrc
RUN ldconfig
# the mounted tree belongs to someone else
RUN git config --global --add safe.directory $GOPATH/src/example.org/harbour
RUN --mount=type=cache,sharing=locked,id=harbour-dev-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-dev-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install -y --no-install-recommends \
            apparmor \
            bash-completion \
            bzip2 \
            inetutils-ping \
            iproute2 \
            iptables \
            jq \
            libcap2-bin \
            net-tools \
            patch \
            pigz \
            sudo \
            uidmap \
            vim \
            xfsprogs \
            xz-utils \
            zstd

FROM base AS build
COPY --from=gowinres /build/ /usr/local/bin/
WORKDIR /go/src/example.org/harbour
ENV GO111MODULE=off
ENV CGO_ENABLED=1
RUN --mount=type=cache,sharing=locked,id=harbour-build-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-build-aptcache,target=/var/cache/apt \
        apt-get update && apt-get install --no-install-recommends -y \
            clang \
            lld \
            llvm \
            icoutils
ARG TARGETPLATFORM
RUN --mount=type=cache,sharing=locked,id=harbour-build-aptlib,target=/var/lib/apt \
    --mount=type=cache,sharing=locked,id=harbour-build-aptcache,target=/var/cache/apt \
        xx-apt-get install --no-install-recommends -y \
            dpkg-dev \
            gcc \
            libc6-dev \
            libseccomp-dev \
            libsecret-1-dev \
            libsystemd-dev \
            libudev-dev \
            pkg-config
ARG DOCKER_BUILDTAGS
ARG DOCKER_DEBUG
ARG DOCKER_GITCOMMIT=HEAD
ARG DOCKER_LDFLAGS
ARG DOCKER_STATIC
ARG VERSION
ARG PLATFORM
ARG PRODUCT
ARG DEFAULT_PRODUCT_LICENSE
ARG PACKAGER_NAME
# the script writes to PREFIX: the tree is mounted so that it
# can't be written to
ENV PREFIX=/tmp
RUN <<EOT
  # one linker fails for one target
  if xx-info is-cross && [ "$(xx-info arch)" = "arm64" ]; then
    XX_CC_PREFER_LINKER=ld xx-clang --setup-target-triple
  fi
EOT
RUN --mount=type=bind,target=.,rw \
    --mount=type=tmpfs,target=cli/winresources/harbourd \
    --mount=type=cache,target=/root/.cache/go-build,id=harbour-build-$TARGETPLATFORM <<EOT
  set -e
  target=$([ "$DOCKER_STATIC" = "1" ] && echo "binary" || echo "dynbinary")
  xx-go --wrap
  PKG_CONFIG=$(xx-go env PKG_CONFIG) ./hack/make.sh $target
  xx-verify $([ "$DOCKER_STATIC" = "1" ] && echo "--static") /tmp/bundles/${target}-daemon/harbourd$([ "$(xx-info os)" = "windows" ] && echo ".exe")
  mkdir /build
  mv /tmp/bundles/${target}-daemon/* /build/
EOT

# usage:
# > docker buildx bake binary
# > DOCKER_STATIC=0 docker buildx bake binary
# or
# > make binary
# > make dynbinary
FROM scratch AS binary
COPY --from=build /build/ /

# usage:
# > docker buildx bake all
FROM scratch AS all
COPY --link --from=tini         /build/ /
COPY --link --from=runc         /build/ /
COPY --link --from=containerd   /build/ /
COPY --link --from=rootlesskit  /build/ /
COPY --link --from=jetty        /       /
COPY --link --from=build        /build  /

# smoke tests
# usage:
# > docker buildx bake binary-smoketest
FROM --platform=$TARGETPLATFORM base AS smoketest
WORKDIR /usr/local/bin
COPY --from=build /build .
RUN <<EOT
  set -ex
  file harbourd
  harbourd --version
EOT

# for editors that work inside of a container
FROM dev-base AS devcontainer
COPY --link . .

# usage:
# > make shell
FROM dev-base AS dev
COPY --link . .
