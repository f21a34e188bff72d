# syntax=docker/dockerfile:1.4
# Shape of: github.com/linkerd/linkerd2 (Dockerfile.proxy)

ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12
ARG BUILDPLATFORM=linux/amd64
ARG LINK_VERSION

# Precompile key slow-to-build dependencies
FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS go-deps
WORKDIR /chain-build
COPY go.mod go.sum ./
COPY bin/install-deps bin/
RUN go mod download
ARG TARGETARCH
RUN ./bin/install-deps $TARGETARCH

FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS fetch
RUN apt-get update && apt-get install -y ca-certificates jq curl --no-install-recommends
WORKDIR /build
COPY bin/fetch-proxy bin/
COPY .proxy-version proxy-version
ARG TARGETARCH
ARG LINK_VERSION
RUN (proxy=$(bin/fetch-proxy $(cat proxy-version) $TARGETARCH) && \
    version=$(basename "$proxy" | sed 's/chain-proxy-//') && \
    mv "$proxy" chain-proxy && \
    echo "$version" >version.txt)

FROM --platform=$BUILDPLATFORM go-deps AS identity
ARG TARGETARCH
WORKDIR /chain-build
COPY pkg pkg
COPY --link proxy-identity proxy-identity
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -tags prod -mod=readonly -ldflags "-s -w" -o /out/proxy-identity ./proxy-identity

FROM $RUNTIME_IMAGE AS runtime
WORKDIR /chain
COPY --from=fetch /build/chain-proxy /usr/lib/chain/chain2-proxy
COPY --from=fetch /build/version.txt version.txt
COPY LICENSE /chain/LICENSE
COPY --from=identity /out/proxy-identity /usr/lib/chain/chain2-proxy-identity
ARG LINK_VERSION
ENV CHAIN_CONTAINER_VERSION_OVERRIDE=${LINK_VERSION}
ENTRYPOINT ["/usr/lib/chain/chain2-proxy-identity"]
