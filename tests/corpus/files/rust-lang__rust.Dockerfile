# Shape of: github.com/rust-lang/rust (src/ci/docker/host-x86_64/dist-x86_64-linux/Dockerfile)
# The oldest system that programs compiled here are to run on has a library of
# 2014: so that is where they are compiled.

FROM centos:7

WORKDIR /build

# its mirrors are gone; an archive has them
COPY host-x86_64/dist/mirror.sh /tmp/
RUN /tmp/mirror.sh

RUN yum upgrade -y && \
    yum install -y \
      automake \
      bzip2 \
      file \
      gcc \
      gcc-c++ \
      git \
      glibc-devel.i686 \
      libedit-devel \
      make \
      ncurses-devel \
      patch \
      perl \
      pkgconfig \
      unzip \
      wget \
      xz \
      zlib-devel.i686 \
      && yum clean all

RUN mkdir -p /oxideroot/bin

ENV PATH=/oxideroot/bin:$PATH
ENV LD_LIBRARY_PATH=/oxideroot/lib64:/oxideroot/lib32:/oxideroot/lib
ENV PKG_CONFIG_PATH=/oxideroot/lib/pkgconfig
WORKDIR /tmp
RUN mkdir /home/user
COPY host-x86_64/dist/shared.sh /tmp/

# one that knows today's protocols
COPY host-x86_64/dist/build-curl.sh /tmp/
RUN ./build-curl.sh && yum remove -y curl

# at least C++17
COPY host-x86_64/dist/build-gcc.sh /tmp/
RUN ./build-gcc.sh && yum remove -y gcc gcc-c++

COPY scripts/cmake.sh /tmp/
RUN ./cmake.sh

# compiles itself, with what it learnt from compiling itself
COPY host-x86_64/dist/build-clang.sh /tmp/
RUN ./build-clang.sh
ENV CC=clang CXX=clang++

ENV PERF_COMMIT 4f313add609f43e928e98132358e8426ed3969ae
RUN curl -LS -o perf.zip https://git.example.org/perf/archive/$PERF_COMMIT.zip && \
    unzip perf.zip && \
    mv perf-$PERF_COMMIT perf && \
    rm perf.zip

COPY scripts/sccache.sh /scripts/
RUN sh /scripts/sccache.sh

ENV PGO_HOST=x86_64-unknown-linux-gnu
ENV HOSTS=x86_64-unknown-linux-gnu

ENV CONFIGURE_ARGS \
      --enable-full-tools \
      --enable-sanitizers \
      --enable-profiler \
      --set target.x86_64-unknown-linux-gnu.linker=clang \
      --set target.x86_64-unknown-linux-gnu.ar=/oxideroot/bin/llvm-ar \
      --set llvm.thin-lto=true \
      --set llvm.ninja=false \
      --set oxide.jemalloc

ENV SCRIPT python3 ../x.py build --set oxide.debug=true opt-dist && \
    ./build/$HOSTS/stage0-tools-bin/opt-dist linux-ci -- python3 ../x.py dist \
    --host $HOSTS --target $HOSTS \
    --include-default-paths \
    build-manifest bootstrap
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=clang

# the one that packs the sources
ENV DIST_SRC 1

ENV LIBCURL_NO_PKG_CONFIG 1
