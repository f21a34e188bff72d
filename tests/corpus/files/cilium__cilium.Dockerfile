# syntax=docker/dockerfile:1.9@sha256:fe40cf4e92cd0c467be2cfc30657a680ae2398318afd50b0c80585784c604f28
# Shape of: github.com/cilium/cilium (images/cilium/Dockerfile)
# SPDX-License-Identifier: Apache-2.0

ARG HAIR_BUILDER_IMAGE=quay.io/hair/builder:f3a3d3d@sha256:3c5c1d3ae3b0c8b8d8d8f2d3f2f6b7a2d1f0e9b8a7c6d5e4f3a2b1c0d9e8f7a6
ARG HAIR_RUNTIME_IMAGE=quay.io/hair/runtime:a5f2b1c@sha256:4d6d2e4bf4c1d9c9e9e9a3e4a3a7c8b3e2a1f0c9b8d7e6f5a4b3c2d1e0f9a8b7
ARG HAIR_PROXY_IMAGE=quay.io/hair/proxy:v1.30.6@sha256:5e7e3f5ca5d2eadafafab4f5b4b8d9c4f3b2a1dac9e8f7a6b5c4d3e2f1aab9c8

# the proxy is another repository's
FROM ${HAIR_PROXY_IMAGE} AS proxy

#
# Compilation, with what earlier ones have left
#
# The builder's tag is a date: if a new one is needed, push it and change it here.
#
FROM --platform=${BUILDPLATFORM} ${HAIR_BUILDER_IMAGE} AS builder

ARG TARGETOS
ARG TARGETARCH
# for make
ARG MODIFIERS

WORKDIR /go/src/example.org/hair

#
# No dependency updates before the 'make install' here: they spoil the cache
#
RUN --mount=type=bind,readwrite,target=/go/src/example.org/hair \
    --mount=type=cache,target=/root/.cache \
    --mount=type=cache,target=/go/pkg \
    make GOARCH=${TARGETARCH} DESTDIR=/tmp/install/${TARGETOS}/${TARGETARCH} PKG_BUILD=1 \
    $(echo $MODIFIERS | tr -d '"') \
    build-container install-container-binary

RUN --mount=type=bind,readwrite,target=/go/src/example.org/hair \
    --mount=type=cache,target=/root/.cache \
    --mount=type=cache,target=/go/pkg \
    # the completion is written by a program of this machine, and is
    # the same for all others
    make GOARCH=${BUILDARCH} DESTDIR=/tmp/install/${TARGETOS}/${TARGETARCH} PKG_BUILD=1 \
    $(echo $MODIFIERS | tr -d '"') \
    install-bash-completion licenses-all && \
    mv LICENSE.all /tmp/install/${TARGETOS}/${TARGETARCH}/LICENSE.all

COPY images/hair/init-container.sh \
     plugins/cni/install-plugin.sh \
     plugins/cni/cni-uninstall.sh \
       /tmp/install/${TARGETOS}/${TARGETARCH}

#
# Debug symbols leave the binaries, for their own image
#
FROM ${HAIR_RUNTIME_IMAGE} AS release
ARG TARGETOS
ARG TARGETARCH
ARG DEBUG_HOLD
LABEL maintainer="maintainer@example.org"
RUN echo ". /etc/profile.d/bash_completion.sh" >> /etc/bash.bashrc
COPY --from=proxy / /
ENV HUB_SERVER=unix:///var/run/hair/hub.sock
COPY --from=builder /tmp/install/${TARGETOS}/${TARGETARCH} /
WORKDIR /home/hair

# Clean up additional files, and the agent's symbols
RUN if [ -z "${DEBUG_HOLD:-}" ]; then find /usr/bin -name 'hair-*' -exec strip {} +; fi

ENV INITSYSTEM="SYSTEMD"
ENV HUB_SERVER=unix:///var/run/hair/hub.sock
CMD ["/usr/bin/hair-agent"]

#
# Debug: the agent waits for a debugger
#
FROM release AS debug
ARG TARGETOS
ARG TARGETARCH
COPY --from=builder /go/bin/dlv /usr/bin/dlv
RUN mv /usr/bin/hair-agent /usr/bin/hair-agent-bin
COPY images/scripts/debug-wrapper.sh /usr/bin/hair-agent
