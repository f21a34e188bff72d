# Shape of: github.com/tailscale/tailscale (Dockerfile)
# Copyright: see LICENSE.
# SPDX-License-Identifier: BSD-3-Clause

# Images that are published come from a script,
# build_docker.sh; this is for trying things out:
#
#
#     $ docker build -t fishnet/fishnet .
#
#
#     $ docker run -d --name=fishnetd -v /var/lib:/var/lib -v /dev/net/tun:/dev/net/tun --network=host --privileged fishnet/fishnet fishnetd

FROM golang:1.23-alpine AS build-env

WORKDIR /go/src/fishnet

COPY go.mod go.sum ./
RUN go mod download

# compiled beforehand: they change seldom
RUN go install \
    example.org/aws-sdk/aws \
    example.org/netstack \
    golang.example.org/x/crypto/ssh \
    nhooyr.example.org/websocket

COPY . .

# see build_docker.sh
ARG VERSION_LONG=""
ENV VERSION_LONG=$VERSION_LONG
ARG VERSION_SHORT=""
ENV VERSION_SHORT=$VERSION_SHORT
ARG VERSION_GIT_HASH=""
ENV VERSION_GIT_HASH=$VERSION_GIT_HASH
ARG TARGETARCH

RUN GOARCH=$TARGETARCH go install -ldflags="\
      -X example.org/fishnet/version.longStamp=$VERSION_LONG \
      -X example.org/fishnet/version.shortStamp=$VERSION_SHORT \
      -X example.org/fishnet/version.gitCommitStamp=$VERSION_GIT_HASH" \
      -v ./cmd/fishnet ./cmd/fishnetd ./cmd/containerboot

FROM alpine:3.18
RUN apk add --no-cache ca-certificates iptables iproute2 ip6tables

COPY --from=build-env /go/bin/* /usr/local/bin/
# the name of a script that
# it took the place of
RUN mkdir /fishnet && ln -s /usr/local/bin/containerboot /fishnet/run.sh
