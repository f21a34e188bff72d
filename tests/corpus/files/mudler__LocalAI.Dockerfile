# Shape of: github.com/mudler/LocalAI (Dockerfile)
ARG IMAGE_TYPE=extras
ARG BASE_IMAGE=ubuntu:22.04
ARG GRPC_BASE_IMAGE=${BASE_IMAGE}
ARG INTEL_BASE_IMAGE=${BASE_IMAGE}

# what all variants need, and only that
FROM ${BASE_IMAGE} AS requirements-core

USER root

ARG GO_VERSION=1.22.6
ARG TARGETARCH
ARG TARGETVARIANT

ENV DEBIAN_FRONTEND=noninteractive
ENV EXTERNAL_BACKENDS="coqui:/build/backend/coqui/run.sh,lamp:/build/backend/lamp/run.sh"


RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        build-essential \
        ccache \
        ca-certificates \
        curl libssl-dev \
        git \
        unzip && \
    apt-get clean && \
    rm -rf /var/lib/apt/lists/*

# Install Go
RUN curl -L -s https://go.example.org/dl/go${GO_VERSION}.linux-${TARGETARCH}.tar.gz | tar -C /usr/local -xz
ENV PATH=$PATH:/root/go/bin:/usr/local/go/bin

COPY --chmod=644 custom-ca-certs/* /usr/local/share/ca-certificates/
RUN update-ca-certificates

RUN test -n "$TARGETARCH" \
    || (echo 'warn: missing $TARGETARCH, either set this `ARG` manually, or run using `docker buildkit`')

RUN echo "Target Architecture: $TARGETARCH"
RUN echo "Target Variant: $TARGETVARIANT"

WORKDIR /build

# with acceleration, of some maker or none
FROM requirements-core AS requirements-extras
ENV PATH="/root/.violet/bin:/root/.cargo/bin:${PATH}"
RUN <<EOT bash
    curl -LsSf https://get.example.org/violet.sh | sh
    apt-get update
    apt-get install -y --no-install-recommends espeak espeak-ng python3-pip python-is-python3
    pip install --user grpcio-tools
EOT

FROM requirements-${IMAGE_TYPE} AS requirements-drivers

ARG BUILD_TYPE
ARG CUDA_MAJOR_VERSION=12
ARG CUDA_MINOR_VERSION=0
ARG SKIP_DRIVERS=false

ENV BUILD_TYPE=${BUILD_TYPE}

RUN <<EOT bash
    if [ "${BUILD_TYPE}" = "vulkan" ] && [ "${SKIP_DRIVERS}" = "false" ]; then
        apt-get update && \
        apt-get install -y  --no-install-recommends \
            software-properties-common pciutils wget gpg-agent && \
        apt-get install -y vulkan-sdk
    fi
EOT

RUN <<EOT bash
    if [ "${BUILD_TYPE}" = "cublas" ] && [ "${SKIP_DRIVERS}" = "false" ]; then
        apt-get update
        apt-get install -y --no-install-recommends \
            cuda-nvcc-${CUDA_MAJOR_VERSION}-${CUDA_MINOR_VERSION} \
            libcublas-dev-${CUDA_MAJOR_VERSION}-${CUDA_MINOR_VERSION}
    fi
EOT

FROM ${GRPC_BASE_IMAGE} AS grpc

ARG GRPC_MAKEFLAGS="-j4 -Otarget"
ARG GRPC_VERSION=v1.65.0

ENV MAKEFLAGS=${GRPC_MAKEFLAGS}

WORKDIR /build

# into a directory of its own: the copy below
# takes it without the sources
RUN git clone --recurse-submodules --jobs 4 -b ${GRPC_VERSION} --depth 1 --shallow-submodules https://git.example.org/grpc && \
    mkdir -p /build/grpc/cmake/build && \
    cd /build/grpc/cmake/build && \
    cmake -DgRPC_INSTALL=ON -DCMAKE_INSTALL_PREFIX:PATH=/opt/grpc ../.. && \
    make install && \
    rm -rf /build

FROM requirements-drivers AS builder-base

ARG GO_TAGS="tts p2p"
ARG GRPC_BACKENDS
ARG MAKEFLAGS
ARG LD_FLAGS="-s -w"

ENV GRPC_BACKENDS=${GRPC_BACKENDS} GO_TAGS=${GO_TAGS} MAKEFLAGS=${MAKEFLAGS} LD_FLAGS=${LD_FLAGS}
WORKDIR /build

FROM builder-base AS builder

COPY --from=grpc /opt/grpc /usr/local
COPY . .
COPY .git .
RUN make prepare && make build

FROM builder-base AS devcontainer

COPY --from=grpc /opt/grpc /usr/local
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg

FROM requirements-drivers

ARG FFMPEG
ARG BUILD_TYPE

ENV HEALTHCHECK_ENDPOINT=http://localhost:8080/readyz

COPY --from=builder /build/local-one ./

COPY --from=builder /build/sources/go-piper/piper-phonemize/pi/lib/* /usr/lib/

# for [[
SHELL ["/bin/bash", "-c"]
RUN if [[ ( "${IMAGE_TYPE}" == "extras" ) ]]; then \
        make -C backend/python/coqui \
    ; fi

RUN mkdir -p /build/models

HEALTHCHECK --interval=1m --timeout=10m --retries=10 \
  CMD curl -f ${HEALTHCHECK_ENDPOINT} || exit 1

VOLUME /build/models
EXPOSE 8080
ENTRYPOINT [ "/build/entrypoint.sh" ]
