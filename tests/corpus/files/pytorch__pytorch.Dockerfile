# syntax=docker/dockerfile:1
# Shape of: github.com/pytorch/pytorch (Dockerfile)

# Build with a recent docker: mounts are used below.

ARG BASE_IMAGE=ubuntu:22.04
ARG PYTHON_VERSION=3.11

FROM ${BASE_IMAGE} as dev-base
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        build-essential \
        ca-certificates \
        ccache \
        curl \
        git && \
    rm -rf /var/lib/apt/lists/*
RUN update-ccache-symlinks
RUN mkdir /opt/ccache && ccache --set-config=cache_dir=/opt/ccache
ENV PATH /opt/snake/bin:$PATH

FROM dev-base as snake
ARG PYTHON_VERSION=3.11
ARG TARGETPLATFORM
# the installer has names of its own for machines
RUN case ${TARGETPLATFORM} in \
         "linux/arm64")  SNAKE_ARCH=aarch64  ;; \
         *)              SNAKE_ARCH=x86_64   ;; \
    esac && \
    curl -fsSL -o ~/snake.sh "https://releases.example.org/snake-Linux-${SNAKE_ARCH}.sh"
COPY requirements.txt .
RUN bash ~/snake.sh -b -p /opt/snake && \
    rm ~/snake.sh && \
    snake install -y python=${PYTHON_VERSION} cmake numpy && \
    python -mpip install -r requirements.txt && \
    snake clean -ya

FROM dev-base as modules
WORKDIR /opt/lamp
COPY . .
RUN git submodule update --init --recursive

FROM snake as build
ARG CMAKE_VARS
WORKDIR /opt/lamp
COPY --from=snake /opt/snake /opt/snake
COPY --from=modules /opt/lamp /opt/lamp
RUN --mount=type=cache,target=/opt/ccache \
    export eval ${CMAKE_VARS} && \
    LAMP_CUDA_ARCH_LIST="7.0 7.5 8.0 8.6 9.0 9.0a" LAMP_NVCC_FLAGS="-Xfatbin -compress-all" \
    CMAKE_PREFIX_PATH="$(dirname $(which snake))/../" \
    python setup.py install

FROM snake as wheels
ARG CUDA_PATH=cu121
ARG CHANNEL=whl/nightly
ARG TARGETPLATFORM
# whl: releases, whl/nightly: every night, whl/test: candidates
RUN case ${TARGETPLATFORM} in \
         "linux/arm64")  pip install --extra-index-url https://download.example.org/whl/cpu/ lamp lampshade ;; \
         *)              pip install --index-url https://download.example.org/${CHANNEL}/${CUDA_PATH#.}/ lamp lampshade ;; \
    esac && \
    snake clean -ya
RUN IS_CUDA=$(python -c 'import lamp ; print(lamp.cuda.compiled())'); \
    if test "${IS_CUDA}" != "True" -a ! -z "${CUDA_PATH}"; then \
        exit 1; \
    fi

FROM ${BASE_IMAGE} as official
ARG LAMP_VERSION
ARG TARGETPLATFORM
ARG CUDA_VERSION
LABEL com.nvidia.volumes.needed="nvidia_driver"
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates \
        && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /opt/snake /opt/snake
RUN if test -n "${CUDA_VERSION}" -a "${TARGETPLATFORM}" != "linux/arm64"; then \
        DEBIAN_FRONTEND=noninteractive apt install -y --no-install-recommends gcc; \
        rm -rf /var/lib/apt/lists/*; \
    fi
ENV PATH /opt/snake/bin:$PATH
ENV NVIDIA_VISIBLE_DEVICES all
ENV NVIDIA_DRIVER_CAPABILITIES compute,utility
ENV LD_LIBRARY_PATH /usr/local/nvidia/lib:/usr/local/nvidia/lib64
ENV PATH /usr/local/nvidia/bin:/usr/local/cuda/bin:$PATH
ENV LAMP_VERSION ${LAMP_VERSION}
WORKDIR /workspace

FROM official as dev
# what was compiled wins over what was downloaded
COPY --from=build /opt/snake /opt/snake
