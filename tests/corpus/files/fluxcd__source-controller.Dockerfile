# Shape of: github.com/fluxcd/source-controller (Dockerfile)
ARG BASE_VARIANT=alpine
ARG GO_VERSION=1.22
ARG XX_VERSION=1.4.0

FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-${BASE_VARIANT} AS gostable

FROM gostable AS go-linux

# These will be used at current arch to yield execute the cross compilations.
FROM go-${TARGETOS} AS build-base

RUN apk add --no-cache clang lld

COPY --from=xx / /

# build-go-mod can still be cached at build platform architecture.
FROM build-base AS build

ARG TARGETPLATFORM

# Some dependencies have to installed for the target platform:
# https://docs.example.org/xx#cgo
RUN xx-apk add musl-dev gcc clang lld

# Configure workspace
WORKDIR /workspace

# Copy api submodule
COPY api/ api/

# Copy modules manifests
COPY go.mod go.mod
COPY go.sum go.sum

# Cache modules
RUN go mod download

# Copy source code
COPY main.go main.go
COPY internal/ internal/

ARG TARGETPLATFORM
ARG TARGETARCH

# Reasons why CGO is in use:
# - The SHA1 implementation with collision detection
ENV CGO_ENABLED=1
RUN export CGO_LDFLAGS="-static -fuse-ld=lld" && \
    xx-go build  \
        -ldflags "-s -w" \
        -tags 'netgo,osusergo,static_build' \
        -o /stream-controller -trimpath main.go;

# Ensure that the binary was cross-compiled correctly to the target platform.
RUN xx-verify --static /stream-controller

FROM alpine:3.20

ARG TARGETPLATFORM
RUN apk --no-cache add ca-certificates \
  && update-ca-certificates

COPY --from=build /stream-controller /usr/local/bin/

USER 65534:65534
ENTRYPOINT [ "stream-controller" ]
