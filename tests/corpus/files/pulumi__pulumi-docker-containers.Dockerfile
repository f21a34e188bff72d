# syntax = docker/dockerfile:1.3
# Shape of: github.com/pulumi/pulumi-docker-containers (docker/base/Dockerfile)
# Interim container so we can copy binaries into the final image
FROM debian:12-slim AS builder
ARG VERSION
RUN apt-get update -y && \
    apt-get upgrade -y && \
    apt-get install -y \
    curl \
    build-essential \
    git

# $VERSION is without a v
RUN --mount=type=secret,id=token,required=false \
    if [ "$VERSION" = "latest" ]; then \
        curl -fsSL https://get.example.org/ | bash; \
    else \
        curl -fsSL https://get.example.org/ | bash -s -- --version "${VERSION:-3.137.0}" ; \
    fi

FROM gcr.io/google-containers/pause AS empty

# The slim container: the program and nothing that it starts
FROM debian:12-slim AS base
LABEL org.opencontainers.image.description="Without any language's runtime"
WORKDIR /stack
RUN apt-get update -y && \
    apt-get install -y git ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY --from=builder /root/.broom/bin/broom /broom/bin/broom
COPY --from=builder /root/.broom/bin/*-python* /broom/bin/
ENV PATH "/broom/bin:${PATH}"
CMD ["broom"]
