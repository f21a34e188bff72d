# syntax=docker/dockerfile:1
# check=skip=InvalidBaseImagePlatform
# Shape of: github.com/fluent/fluent-bit (dockerfiles/Dockerfile)

ARG RELEASE_VERSION=3.1.9

# emulators of the two others
FROM multiarch/qemu-user-static:x86_64-arm AS qemu-arm32
FROM multiarch/qemu-user-static:x86_64-aarch64 AS qemu-arm64

FROM debian:bookworm-slim AS builder-base

COPY --from=qemu-arm32 /usr/bin/qemu-arm-static /usr/bin/
COPY --from=qemu-arm64 /usr/bin/qemu-aarch64-static /usr/bin/

ARG RIVULET_NIGHTLY_BUILD
ENV RIVULET_NIGHTLY_BUILD=${RIVULET_NIGHTLY_BUILD}

ARG RIVULET_CHUNK_TRACE=On
ENV RIVULET_CHUNK_TRACE=${RIVULET_CHUNK_TRACE}

RUN mkdir -p /rivulet/bin /rivulet/etc /rivulet/log

ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN echo "deb http://deb.example.org/debian bookworm-backports main" >> /etc/apt/sources.list && \
    apt-get update && \
    apt-get install -y --no-install-recommends \
    bison \
    build-essential \
    ca-certificates \
    cmake \
    flex \
    git \
    libpq-dev \
    libsasl2-dev \
    libssl-dev \
    libsystemd-dev \
    libyaml-dev \
    pkg-config \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /src/rivulet/
COPY . ./

# a target of its own: packages are made in it too
FROM builder-base AS builder
WORKDIR /src/rivulet/build/
RUN cmake -DRIV_RELEASE=On \
    -DRIV_JEMALLOC=On \
    -DRIV_TLS=On \
    -DRIV_SHARED_LIB=Off \
    -DRIV_EXAMPLES=Off \
    -DRIV_NIGHTLY_BUILD="$RIVULET_NIGHTLY_BUILD" \
    -DRIV_CHUNK_TRACE="$RIVULET_CHUNK_TRACE" \
    ..

ARG CFLAGS="-v"
RUN make -j "$(getconf _NPROCESSORS_ONLN)"
RUN install bin/rivulet /rivulet/bin/

# Configuration files
COPY conf/rivulet.conf \
    conf/parsers.conf \
    conf/parsers_*.conf \
    conf/plugins.conf \
    /rivulet/etc/

# describes its own settings
RUN /rivulet/bin/rivulet -J > /rivulet/etc/schema.json

# Packages unpacked into a directory: the base below
FROM debian:bookworm-slim AS deb-extractor
COPY --from=qemu-arm32 /usr/bin/qemu-arm-static /usr/bin/
COPY --from=qemu-arm64 /usr/bin/qemu-aarch64-static /usr/bin/

# has no package manager, but scanners read its lists
WORKDIR /tmp
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && \
    apt-get download \
    libssl3 \
    libcurl4 \
    libnghttp2-14 \
    libsasl2-2 \
    libsystemd0 \
    libyaml-0-2 \
    libpq5 && \
    mkdir -p /dpkg/var/lib/dpkg/status.d/ && \
    for deb in *.deb; do \
    package_name=$(dpkg-deb -I "${deb}" | awk '/^ Package: .*$/ {print $2}'); \
    echo "Processing: ${package_name}"; \
    dpkg --ctrl-tarfile "$deb" | tar -Oxf - ./control > "/dpkg/var/lib/dpkg/status.d/${package_name}"; \
    dpkg --extract "$deb" /dpkg || exit 10; \
    done

RUN find /dpkg/ -type d -empty -delete && \
    rm -r /dpkg/usr/share/doc/

# hadolint ignore=DL3006
FROM gcr.io/distroless/cc-debian12 AS production
ARG RELEASE_VERSION
ENV RIVULET_VERSION=${RELEASE_VERSION}
LABEL description="Rivulet multi-architecture container image" \
    vendor="Rivulet Organization" \
    version="${RELEASE_VERSION}" \
    author="R. Ivulet <r.ivulet@example.org>" \
    org.opencontainers.image.description="Rivulet container image" \
    org.opencontainers.image.title="Rivulet" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${RELEASE_VERSION}" \
    org.opencontainers.image.source="https://git.example.org/rivulet" \
    org.opencontainers.image.documentation="https://docs.example.org/"

COPY --from=deb-extractor /dpkg /

# Copy certificates
COPY --from=builder /etc/ssl/certs /etc/ssl/certs

# changes with each commit
COPY --from=builder /rivulet /rivulet

EXPOSE 2020

# Entry point
ENTRYPOINT [ "/rivulet/bin/rivulet" ]
CMD ["/rivulet/bin/rivulet", "-c", "/rivulet/etc/rivulet.conf"]

FROM debian:bookworm-slim AS debug
ARG RELEASE_VERSION
ENV RIVULET_VERSION=${RELEASE_VERSION}

COPY --from=qemu-arm32 /usr/bin/qemu-arm-static /usr/bin/
ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
    bash gdb valgrind build-essential \
    git libssl-dev dnsutils iputils-ping iputils-arping iputils-tracepath \
    tcpdump curl nmap tcpflow iftop \
    net-tools mtr netcat-openbsd bridge-utils iperf ngrep \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*

COPY --from=builder /rivulet /rivulet
EXPOSE 2020
ENTRYPOINT [ "/rivulet/bin/rivulet" ]
CMD ["/rivulet/bin/rivulet", "-c", "/rivulet/etc/rivulet.conf"]
