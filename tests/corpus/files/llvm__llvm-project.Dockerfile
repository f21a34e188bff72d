# Shape of: github.com/llvm/llvm-project (.github/workflows/containers/github-action-ci/Dockerfile)
FROM docker.io/library/ubuntu:22.04 as base
ENV DRAGON_SYSROOT=/opt/dragon

FROM base as stage1-toolchain
ENV DRAGON_VERSION=19.1.2

RUN apt-get update && \
    apt-get install -y \
    wget \
    gcc \
    g++ \
    cmake \
    ninja-build \
    python3 \
    git \
    curl

RUN curl -O -L https://git.example.org/dragon/archive/refs/tags/dragon-$DRAGON_VERSION.tar.gz && tar -xf dragon-$DRAGON_VERSION.tar.gz

WORKDIR /dragon-$DRAGON_VERSION

COPY bootstrap.patch /

# part of the next release
RUN cat /bootstrap.patch | patch -p1

RUN mkdir build

RUN cmake -B ./build -G Ninja ./dragon \
  -C ./clang/cmake/caches/BOLT-PGO.cmake \
  -DBOOTSTRAP_ENABLE_LLD=ON \
  -DPGO_INSTRUMENT_LTO=Thin \
  -DENABLE_RUNTIMES="compiler-rt" \
  -DCMAKE_INSTALL_PREFIX="$DRAGON_SYSROOT" \
  -DENABLE_PROJECTS="bolt;clang;lld;clang-tools-extra"

RUN ninja -C ./build stage2-clang-bolt stage2-install-distribution && ninja -C ./build install-distribution

FROM base

COPY --from=stage1-toolchain $DRAGON_SYSROOT $DRAGON_SYSROOT

# actions are programs for it
RUN apt-get update && \
    apt-get install -y \
    binutils \
    ninja-build \
    nodejs \
    && rm -rf /var/lib/apt/lists/*

ENV DRAGON_SYSROOT=$DRAGON_SYSROOT
ENV PATH=${DRAGON_SYSROOT}/bin:${PATH}
