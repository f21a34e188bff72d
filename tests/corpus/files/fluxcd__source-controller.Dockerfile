# Shape of: github.com/fluxcd/source-controller (Dockerfile)
ARG BASE_VARIANT=alpine
ARG GO_VERSION=1.22
ARG XX_VERSION=1.4.0

FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-${BASE_VARIANT} AS gostable

FROM gostable AS go-linux

FROM go-${TARGETOS} AS build-base

RUN apk add --no-cache clang lld

COPY --from=xx / /

FROM build-base AS build

ARG TARGETPLATFORM

# headers and libraries of the target
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

# C is linked in for a hash
# that notices collisions
ENV CGO_ENABLED=1
RUN export CGO_LDFLAGS="-static -fuse-ld=lld" && \
    xx-go build  \
        -ldflags "-s -w" \
        -tags 'netgo,osusergo,static_build' \
        -o /stream-controller -trimpath main.go;

RUN xx-verify --static /stream-controller

FROM alpine:3.20

ARG TARGETPLATFORM
RUN apk --no-cache add ca-certificates \
  && update-ca-certificates

COPY --from=build /stream-controller /usr/local/bin/

USER 65534:65534
ENTRYPOINT [ "stream-controller" ]
