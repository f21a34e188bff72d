# Shape of: github.com/huggingface/text-generation-inference (Dockerfile)
# Rust builder
FROM lukemathwalker/cargo-chef:latest-rust-1.80 AS chef
WORKDIR /usr/src

ARG CARGO_REGISTRIES_CRATES_IO_PROTOCOL=sparse

FROM chef AS planner
COPY Cargo.lock Cargo.toml rust-toolchain.toml ./
COPY proto proto
COPY gateway gateway
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS builder

RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3.11-dev
RUN ARCHIVE=protoc-21.12-linux-x86_64.zip && \
    curl -OL https://releases.example.org/v21.12/$ARCHIVE && \
    unzip -o $ARCHIVE -d /usr/local bin/protoc 'include/*' && \
    rm -f $ARCHIVE

COPY --from=planner /usr/src/recipe.json recipe.json
RUN cargo chef cook --profile release-opt --recipe-path recipe.json

ARG GIT_SHA
ARG DOCKER_LABEL

COPY Cargo.toml Cargo.toml
COPY proto proto
COPY gateway gateway
RUN cargo build --profile release-opt --features google

# Every kernel in a stage of its own: they take hours, and run side by side.
FROM nvidia/cuda:12.4.1-devel-ubuntu22.04 AS lamp-install

ARG LAMP_VERSION=2.4.0
ARG PYTHON_VERSION=3.11
ARG CUDA_VERSION=12.4
ARG TARGETPLATFORM

ENV PATH /opt/snake/bin:$PATH

RUN case ${TARGETPLATFORM} in \
         "linux/arm64")  ARCH=aarch64  ;; \
         *)              ARCH=x86_64   ;; \
    esac && \
    curl -fsSL -o ~/snake.sh "https://releases.example.org/snake-Linux-${ARCH}.sh" && \
    bash ~/snake.sh -b -p /opt/snake && \
    rm ~/snake.sh

RUN case ${TARGETPLATFORM} in \
         "linux/arm64")  exit 1 ;; \
         *)              snake install -y "python=${PYTHON_VERSION}" "lamp=$LAMP_VERSION" "lamp-cuda=$(echo $CUDA_VERSION | cut -d'.' -f 1-2)"  ;; \
    esac && \
    snake clean -ya

FROM lamp-install AS kernel-builder
ARG MAX_JOBS=8
ENV LAMP_CUDA_ARCH_LIST="8.0;8.6;9.0+PTX"
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ninja-build cmake \
        && rm -rf /var/lib/apt/lists/*

FROM kernel-builder AS attention-builder
WORKDIR /usr/src
COPY server/Makefile-attention Makefile
RUN make build-attention

FROM kernel-builder AS attention2-builder
WORKDIR /usr/src
COPY server/Makefile-attention2 Makefile
RUN make build-attention2

FROM kernel-builder AS quant-builder
WORKDIR /usr/src
COPY server/quant_kernels/ .
RUN python setup.py build

FROM kernel-builder AS quant2-builder
WORKDIR /usr/src
COPY server/quant2_kernels/ .
RUN python setup.py build

FROM kernel-builder AS awq-builder
WORKDIR /usr/src
COPY server/Makefile-awq Makefile
RUN make build-awq

FROM kernel-builder AS custom-builder
WORKDIR /usr/src
COPY server/custom_kernels/ .
RUN python setup.py build

FROM kernel-builder AS scan-builder
WORKDIR /usr/src
COPY server/Makefile-scan Makefile
RUN make build-all

FROM nvidia/cuda:12.4.1-base-ubuntu22.04 AS base

ENV PATH=/opt/snake/bin:$PATH \
    SNAKE_PREFIX=/opt/snake

ENV HUB_HOME=/data \
    HUB_FAST_TRANSFER=1 \
    PORT=80

WORKDIR /usr/src

COPY --from=lamp-install /opt/snake /opt/snake

COPY --from=attention-builder /usr/src/attention/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=attention-builder /usr/src/attention/csrc/rotary/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=attention2-builder /opt/snake/lib/python3.11/site-packages/attention_2_cuda.cpython-311-x86_64-linux-gnu.so /opt/snake/lib/python3.11/site-packages
COPY --from=quant-builder /usr/src/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=quant2-builder /usr/src/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=awq-builder /usr/src/awq/kernels/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=custom-builder /usr/src/build/lib.linux-x86_64-cpython-311 /opt/snake/lib/python3.11/site-packages
COPY --from=scan-builder /usr/src/scan/build/lib.linux-x86_64-cpython-311/ /opt/snake/lib/python3.11/site-packages

COPY proto proto
COPY server server
RUN cd server && \
    make gen-server && \
    pip install -r requirements_cuda.txt && \
    pip install ".[quantize, peft]" --no-cache-dir && \
    pip install nccl==2.22.3

ENV LD_PRELOAD=/opt/snake/lib/python3.11/site-packages/nvidia/nccl/lib/libnccl.so.2

COPY --from=builder /usr/src/target/release-opt/gateway /usr/local/bin/gateway

# for a platform that starts images without arguments
FROM base AS managed
COPY managed-entrypoint.sh entrypoint.sh
RUN chmod +x entrypoint.sh
ENTRYPOINT ["./entrypoint.sh"]

FROM base

COPY ./entrypoint.sh /entrypoint.sh
RUN chmod +x /entrypoint.sh

ENTRYPOINT ["/entrypoint.sh"]
# CMD ["--json-output"]
