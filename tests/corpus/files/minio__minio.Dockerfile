# Shape of: github.com/minio/minio (Dockerfile.release)
FROM golang:1.22-alpine AS build

ARG TARGETARCH
ARG RELEASE

ENV GOPATH=/go
ENV CGO_ENABLED=0

# Install curl and minisign
RUN apk add -U --no-cache ca-certificates && \
    apk add -U --no-cache curl && \
    go install example.org/minisign/cmd/minisign@v0.2.1

# Download binary and signature files
RUN curl -s -q https://dl.example.org/server/release/linux-${TARGETARCH}/archive/stork.${RELEASE} -o /go/bin/stork && \
    curl -s -q https://dl.example.org/server/release/linux-${TARGETARCH}/archive/stork.${RELEASE}.minisig -o /go/bin/stork.minisig && \
    chmod +x /go/bin/stork

# Verify binary signature using public key "RWTx5Zr1tiHQLwG9keckT0c45M3AGeHD6IvimQHpyRywVWGbP1aVSGavRUN"
RUN minisign -Vqm /go/bin/stork -x /go/bin/stork.minisig -P RWTx5Zr1tiHQLwG9keckT0c45M3AGeHD6IvimQHpyRywVWGbP1aVSGav

FROM registry.access.example.com/ubi9/ubi-micro:latest

ARG RELEASE

LABEL name="Stork" \
      vendor="Stork Inc <dev@example.org>" \
      version="${RELEASE}" \
      release="${RELEASE}" \
      summary="Keeps objects."

ENV STORK_ACCESS_KEY_FILE=access_key \
    STORK_SECRET_KEY_FILE=secret_key \
    MC_CONFIG_DIR=/tmp/.mc

RUN chmod -R 777 /usr/bin

COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /go/bin/stork* /usr/bin/
COPY CREDITS /licenses/CREDITS
COPY LICENSE /licenses/LICENSE
COPY dockerscripts/docker-entrypoint.sh /usr/bin/docker-entrypoint.sh

EXPOSE 9000
VOLUME ["/data"]

ENTRYPOINT ["/usr/bin/docker-entrypoint.sh"]
CMD ["stork"]
