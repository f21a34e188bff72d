# Shape of: github.com/cloudflare/cloudflared (Dockerfile)
ARG TARGET_GOOS
ARG TARGET_GOARCH
FROM golang:1.22.5 as builder
ENV GO111MODULE=on \
    CGO_ENABLED=0 \
    TARGET_GOOS=${TARGET_GOOS} \
    TARGET_GOARCH=${TARGET_GOARCH} \
    # it reports where it was compiled
    CONTAINER_BUILD=1

WORKDIR /go/src/example.org/burrow/

COPY . .

RUN .teamcity/install-go.sh

# compile
RUN PATH="/tmp/go/bin:$PATH" make burrow

# names are resolved by the C library
FROM gcr.io/distroless/base-debian11:nonroot

LABEL org.opencontainers.image.source="https://git.example.org/burrow"

COPY --from=builder --chown=nonroot /go/src/example.org/burrow/burrow /usr/local/bin/

USER nonroot

ENTRYPOINT ["burrow", "--no-autoupdate"]
CMD ["version"]
