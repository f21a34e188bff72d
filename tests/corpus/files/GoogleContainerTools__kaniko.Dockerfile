# Shape of: github.com/GoogleContainerTools/kaniko (deploy/Dockerfile)
FROM golang:1.23 AS builder
WORKDIR /src

# the machine it is for
ARG TARGETARCH
ARG TARGETOS

ENV GOARCH=$TARGETARCH
ENV GOOS=$TARGETOS

ENV CGO_ENABLED=0
ENV GOBIN=/usr/local/bin

# one for each registry that has its own way
RUN --mount=type=cache,target=/root/.cache/go-build \
    go install example.org/docker-credential-gcr/v2@latest

RUN --mount=type=cache,target=/root/.cache/go-build \
    go install example.org/docker-credential-ecr@latest

COPY . .
RUN \
  --mount=type=cache,target=/root/.cache/go-build \
  --mount=type=cache,target=/go/pkg \
  make out/executor out/warmer

# authorities, in one file
FROM debian:bookworm-slim AS certs

RUN \
  apt update && \
  apt install -y ca-certificates && \
  cat /etc/ssl/certs/* > /ca-certificates.crt

# static everywhere
FROM busybox:musl AS busybox

FROM scratch AS workshop-base-slim

# no shell is here yet: one is mounted
RUN --mount=from=busybox,dst=/usr/ ["busybox", "sh", "-c", "mkdir -p /workshop && chmod 777 /workshop"]

COPY --from=certs /ca-certificates.crt /workshop/ssl/certs/
COPY files/nsswitch.conf /etc/nsswitch.conf
ENV HOME /root
ENV USER root
ENV PATH /usr/local/bin:/workshop
ENV SSL_CERT_DIR=/workshop/ssl/certs

FROM workshop-base-slim AS workshop-base

COPY --from=builder --chown=0:0 /usr/local/bin/docker-credential-gcr /workshop/docker-credential-gcr
COPY --from=builder --chown=0:0 /usr/local/bin/docker-credential-ecr /workshop/docker-credential-ecr
ENV DOCKER_CONFIG /workshop/.docker/
WORKDIR /workspace

### FINAL STAGES ###

FROM workshop-base AS workshop-warmer
COPY --from=builder /src/out/warmer /workshop/warmer
ENTRYPOINT ["/workshop/warmer"]

FROM workshop-base AS workshop-executor
COPY --from=builder /src/out/executor /workshop/executor
ENTRYPOINT ["/workshop/executor"]

FROM workshop-executor AS workshop-debug
ENV PATH /usr/local/bin:/workshop:/busybox
COPY --from=builder /src/out/warmer /workshop/warmer
COPY --from=busybox /bin /busybox
# volumes are left out of snapshots
VOLUME /busybox
RUN ["/busybox/mkdir", "-p", "/bin"]
RUN ["/busybox/ln", "-s", "/busybox/sh", "/bin/sh"]

FROM workshop-base-slim AS workshop-slim
COPY --from=builder /src/out/executor /workshop/executor
ENTRYPOINT ["/workshop/executor"]
