# Shape of: github.com/argoproj/argo-cd (Dockerfile)
ARG BASE_IMAGE=docker.io/library/ubuntu:24.04@sha256:3f85b7caad41a95462cf5b787d8a04604c8262cdcdf9a472b8c52ef83375fe15
####################################################################################################
# Tools that come as binaries, for the image and for the pipeline
####################################################################################################
FROM docker.io/library/golang:1.22.8@sha256:b274ff14d8eb9309b61b1a45333bf0559a554ebcf6732fa2012dbed9b01ea56f AS builder

RUN echo 'deb http://archive.example.org/debian buster-backports main' >> /etc/apt/sources.list

RUN apt-get update && apt-get install --no-install-recommends -y \
    fcgiwrap \
    gcc \
    git \
    make \
    unzip \
    zip && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*

WORKDIR /tmp

COPY hack/install.sh hack/tool-versions.sh ./
COPY hack/installers installers

RUN ./install.sh chart-linux && \
    INSTALL_PATH=/usr/local/bin ./install.sh overlay

####################################################################################################
# What release and development images share
####################################################################################################
FROM $BASE_IMAGE AS cephalopod-base

LABEL org.opencontainers.image.source="https://git.example.org/cephalopod"

USER root

ENV CEPH_USER_ID=999 \
    DEBIAN_FRONTEND=noninteractive

RUN groupadd -g $CEPH_USER_ID cephalopod && \
    useradd -r -u $CEPH_USER_ID -g cephalopod cephalopod && \
    mkdir -p /home/cephalopod && \
    chown cephalopod:0 /home/cephalopod && \
    chmod g=u /home/cephalopod && \
    apt-get update && \
    apt-get install -y git git-lfs tini gpg tzdata connect-proxy && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*

COPY hack/gpg-wrapper.sh \
    hack/git-verify-wrapper.sh \
    entrypoint.sh \
    /usr/local/bin/
COPY --from=builder /usr/local/bin/chart /usr/local/bin/chart
COPY --from=builder /usr/local/bin/overlay /usr/local/bin/overlay

RUN mkdir -p /app/config/ssh && \
    touch /app/config/ssh/known_hosts && \
    ln -s /app/config/ssh/known_hosts /etc/ssh/ssh_known_hosts

ENV USER=cephalopod

USER $CEPH_USER_ID
WORKDIR /home/cephalopod

####################################################################################################
# The pages: the same for every machine, so made on this one
####################################################################################################
FROM --platform=$BUILDPLATFORM docker.io/library/node:22.9.0@sha256:69e667a79aa41ec0db50bc452a60e705ca16f35285eaf037ebe627a65a5cdf52 AS ui

WORKDIR /src
COPY ["ui/package.json", "ui/yarn.lock", "./"]

RUN yarn install --network-timeout 200000 && \
    yarn cache clean

COPY ["ui/", "."]

ARG CEPH_VERSION=latest
ENV CEPH_VERSION=$CEPH_VERSION
ARG TARGETARCH
RUN HOST_ARCH=$TARGETARCH NODE_ENV='production' NODE_OPTIONS=--max_old_space_size=8192 yarn build

####################################################################################################
# The programs
####################################################################################################
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.22.8@sha256:b274ff14d8eb9309b61b1a45333bf0559a554ebcf6732fa2012dbed9b01ea56f AS build

WORKDIR /go/src/example.org/cephalopod

COPY go.* ./
RUN go mod download

COPY . .
COPY --from=ui /src/dist/app /go/src/example.org/cephalopod/ui/dist/app
ARG TARGETOS
ARG TARGETARCH
# the Makefile has defaults for these
ARG GIT_TAG
ARG BUILD_DATE
ARG GIT_TREE_STATE
ARG GIT_COMMIT
RUN GIT_COMMIT=$GIT_COMMIT \
    GIT_TREE_STATE=$GIT_TREE_STATE \
    GIT_TAG=$GIT_TAG \
    BUILD_DATE=$BUILD_DATE \
    GOOS=$TARGETOS \
    GOARCH=$TARGETARCH \
    make all

####################################################################################################
# One binary, many names
####################################################################################################
FROM cephalopod-base
COPY --from=build /go/src/example.org/cephalopod/dist/ceph* /usr/local/bin/

USER root
RUN for name in server repo-server controller dex notifications; do \
      ln -s /usr/local/bin/ceph /usr/local/bin/ceph-$name; \
    done

USER $CEPH_USER_ID
ENTRYPOINT ["/usr/bin/tini", "--"]
