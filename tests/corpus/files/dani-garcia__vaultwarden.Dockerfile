# syntax=docker/dockerfile:1
# check=skip=FromPlatformFlagConstDisallowed,RedundantTargetPlatform
# Shape of: github.com/dani-garcia/vaultwarden (docker/Dockerfile.debian)

# Made from Dockerfile.j2, as is the one for Alpine. Change that one, and run `make`.

####################### PAGES #######################
# A digest, for a tag can be moved:
#     $ docker pull docker.io/keeper/pages:v2024.6.2c
#     $ docker image inspect --format "{{.RepoDigests}}" docker.io/keeper/pages:v2024.6.2c
#     [docker.io/keeper/pages@sha256:409ab328ca931439cb916b388a4bb784bd44220717aaf74cf71620c23e34fc2b]
#
FROM --platform=linux/amd64 docker.io/keeper/pages@sha256:409ab328ca931439cb916b388a4bb784bd44220717aaf74cf71620c23e34fc2b AS pages

########################## CROSS COMPILATION ##########################
## scripts, the same for every platform
FROM --platform=linux/amd64 docker.io/tonistiigi/xx@sha256:1978e7a58a1777cb0ef0dde76bad60b7914b21da57cfa88047875e4f364297aa AS xx

########################## BUILD ##########################
# hadolint ignore=DL3006
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.82.0-slim-bookworm AS build
COPY --from=xx / /
ARG TARGETARCH
ARG TARGETVARIANT
ARG TARGETPLATFORM

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

ENV DEBIAN_FRONTEND=noninteractive \
    LANG=C.UTF-8 \
    TZ=UTC \
    TERM=xterm-256color \
    CARGO_HOME="/root/.cargo" \
    USER="root"

RUN apt-get update && \
    apt-get install -y \
        --no-install-recommends \
        clang \
        git \
        pkg-config \
        "libc6-$(xx-info debian-arch)-cross" \
        "libc6-dev-$(xx-info debian-arch)-cross" && \
    xx-apt-get install -y \
        --no-install-recommends \
        gcc \
        libpq-dev \
        libssl-dev && \
    # later it would find itself in a directory with a toolchain of its own
    echo "export CARGO_TARGET=$(xx-cargo --print-target-triple)" >> /env-cargo

# an empty program: its dependencies become a layer
RUN USER=root cargo new --bin /app
WORKDIR /app

ARG ARCH_OPENSSL_LIB_DIR

RUN source /env-cargo && \
    if xx-info is-cross ; then \
        # the variables' names have the target in them, in two spellings
        echo "export CC_$(echo "${CARGO_TARGET}" | tr '[:upper:]' '[:lower:]' | tr - _)=/usr/bin/$(xx-info)-gcc" >> /env-cargo && \
        echo "export CROSS_COMPILE=1" >> /env-cargo && \
        if [[ -n "${ARCH_OPENSSL_LIB_DIR}" ]]; then \
            echo "export OPENSSL_LIB_DIR=${ARCH_OPENSSL_LIB_DIR}" >> /env-cargo ; \
        fi && \
        echo "# end" >> /env-cargo ; \
    fi && \
    cat /env-cargo

RUN source /env-cargo && \
    rustup target add "${CARGO_TARGET}"

COPY ./Cargo.* ./rust-toolchain.toml ./build.rs ./

ARG CARGO_PROFILE=release

# late, for it changes what is below
ARG DB=sqlite,mysql,postgresql

RUN source /env-cargo && \
    cargo build --features ${DB} --profile "${CARGO_PROFILE}" --target="${CARGO_TARGET}" && \
    find . -not -path "./target*" -delete

COPY . .

ARG KEEPER_VERSION

RUN source /env-cargo && \
    # or its time would say that it is built
    touch build.rs src/main.rs && \
    cargo build --features ${DB} --profile "${CARGO_PROFILE}" --target="${CARGO_TARGET}" && \
    if [[ "${CARGO_PROFILE}" == "dev" ]] ; then \
        ln -vfsr "/app/target/${CARGO_TARGET}/debug" /app/target/final ; \
    else \
        ln -vfsr "/app/target/${CARGO_TARGET}/${CARGO_PROFILE}" /app/target/final ; \
    fi


######################## RUNTIME ########################
# The platform is said although it is the default: another builder has been seen
# to take that of the stage above
FROM --platform=$TARGETPLATFORM docker.io/library/debian:bookworm-slim

ENV ROCKET_PROFILE="release" \
    ROCKET_ADDRESS=0.0.0.0 \
    ROCKET_PORT=80 \
    DEBIAN_FRONTEND=noninteractive

RUN mkdir /data && \
    apt-get update && apt-get install -y \
        --no-install-recommends \
        ca-certificates \
        curl \
        libpq5 \
        openssl && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/*

VOLUME /data
EXPOSE 80

WORKDIR /

COPY docker/healthcheck.sh docker/start.sh /

COPY --from=pages /web-vault ./web-vault
COPY --from=build /app/target/final/keeper .

HEALTHCHECK --interval=60s --timeout=10s CMD ["/healthcheck.sh"]

CMD ["/start.sh"]
