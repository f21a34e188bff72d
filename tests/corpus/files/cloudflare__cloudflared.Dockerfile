# Shape of: github.com/cloudflare/cloudflared (Dockerfile)
# use a builder image for building
ARG TARGET_GOOS
ARG TARGET_GOARCH
FROM golang:1.22.5 as builder
ENV GO111MODULE=on \
    CGO_ENABLED=0 \
    TARGET_GOOS=${TARGET_GOOS} \
    TARGET_GOARCH=${TARGET_GOARCH} \
    # the CONTAINER_BUILD envvar is used set the program's metadata for telemetry
    CONTAINER_BUILD=1

WORKDIR /go/src/example.org/burrow/

# copy our sources into the builder image
COPY . .

RUN .teamcity/install-go.sh

# compile
RUN PATH="/tmp/go/bin:$PATH" make burrow

# use a distroless base image with glibc
FROM gcr.io/distroless/base-debian11:nonroot

LABEL org.opencontainers.image.source="https://git.example.org/burrow"

# copy our compiled binary
COPY --from=builder --chown=nonroot /go/src/example.org/burrow/burrow /usr/local/bin/

# run as non-privileged user
USER nonroot

# command / entrypoint of container
ENTRYPOINT ["burrow", "--no-autoupdate"]
CMD ["version"]
