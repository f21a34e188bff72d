# Shape of: github.com/cross-rs/cross (docker/Dockerfile.aarch64-unknown-linux-gnu)
FROM ubuntu:20.04 AS cross-base
ENV DEBIAN_FRONTEND=noninteractive

COPY common.sh lib.sh /
RUN /common.sh

COPY cmake.sh /
RUN /cmake.sh

FROM cross-base AS build

RUN apt-get install --assume-yes --no-install-recommends \
    g++-aarch64-linux-gnu \
    libc6-dev-arm64-cross

COPY deny-debian-packages.sh /
RUN TARGET_ARCH=arm64 /deny-debian-packages.sh \
    binutils \
    binutils-aarch64-linux-gnu

COPY qemu.sh /
RUN /qemu.sh aarch64 softmmu

ENV CROSS_TOOLCHAIN_PREFIX=aarch64-linux-gnu-
ENV CROSS_SYSROOT=/usr/aarch64-linux-gnu
ENV CROSS_TARGET_RUNNER="/linux-runner aarch64"
ENV CARGO_TARGET_AARCH64_LINKER="$CROSS_TOOLCHAIN_PREFIX"gcc \
    CARGO_TARGET_AARCH64_RUNNER="$CROSS_TARGET_RUNNER" \
    AR_aarch64="$CROSS_TOOLCHAIN_PREFIX"ar \
    CC_aarch64="$CROSS_TOOLCHAIN_PREFIX"gcc \
    BINDGEN_EXTRA_CLANG_ARGS_aarch64="--sysroot=$CROSS_SYSROOT" \
    PKG_CONFIG_PATH="/usr/lib/aarch64-linux-gnu/pkgconfig/:${PKG_CONFIG_PATH}" \
    RUST_TEST_THREADS=1 \
    UNAME='Linux 5.10 aarch64 GNU/Linux'
