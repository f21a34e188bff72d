# Shape of: github.com/home-assistant/docker-base (alpine/Dockerfile)
# Build with: --build-arg BUILD_FROM=alpine:3.20 --build-arg BUILD_ARCH=aarch64
ARG BUILD_FROM
FROM ${BUILD_FROM}

# Environment variables
ENV \
    LANG="C.UTF-8" \
    PS1="$(whoami)@$(hostname):$(pwd)$ " \
    S6_BEHAVIOUR_IF_STAGE2_FAILS=2 \
    S6_CMD_WAIT_FOR_SERVICES_MAXTIME=0 \
    S6_CMD_WAIT_FOR_SERVICES=1 \
    SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt"

# Set shell
SHELL ["/bin/ash", "-o", "pipefail", "-c"]

# Build Args
ARG \
    BASHLIB_VERSION \
    TEMPIO_VERSION \
    S6_OVERLAY_VERSION \
    JEMALLOC_VERSION \
    QEMU_CPU

# Base system
WORKDIR /usr/src
ARG BUILD_ARCH

RUN \
    set -x \
    && apk add --no-cache \
        bash \
        bind-tools \
        ca-certificates \
        curl \
        jq \
        libstdc++ \
        tzdata \
        xz \
    \
    && apk add --no-cache --virtual .build-deps \
        autoconf \
        build-base \
        git \
    \
    && if [ "${BUILD_ARCH}" = "armv7" ]; then \
            export S6_ARCH="arm"; \
        elif [ "${BUILD_ARCH}" = "amd64" ]; then \
            export S6_ARCH="x86_64"; \
        else \
            export S6_ARCH="${BUILD_ARCH}"; \
        fi \
    \
    && curl -L -f -s "https://releases.example.org/v${S6_OVERLAY_VERSION}/s6-overlay-${S6_ARCH}.tar.xz" \
        | tar Jxvf - -C / \
    && mkdir -p /etc/fix-attrs.d \
    && git clone "https://git.example.org/jemalloc" --depth 1 --branch "${JEMALLOC_VERSION:-5.3.0}" /usr/src/jemalloc \
    && cd /usr/src/jemalloc \
    && if [[ "${BUILD_ARCH}" = "aarch64" ]]; then \
            ./autogen.sh --with-lg-page=16; \
        else \
            ./autogen.sh; \
        fi \
    && make -j "$(nproc)" \
    && make install_lib_shared install_bin \
    \
    && apk del .build-deps \
    && rm -rf /usr/src/*

# s6
COPY rootfs /
WORKDIR /

ENTRYPOINT [ "/init" ]
