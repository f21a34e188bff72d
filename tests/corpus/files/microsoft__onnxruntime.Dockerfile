# Shape of: github.com/microsoft/onnxruntime (dockerfiles/Dockerfile.cuda)
# --------------------------------------------------------------
# Copyright: see LICENSE.
# --------------------------------------------------------------
# A wheel with CUDA in it, from the tree this file is in
# Build by: docker build -f dockerfiles/Dockerfile.cuda ../..

FROM nvidia/cuda:12.6.1-cudnn-devel-ubuntu20.04

ARG CUDA_VERSION=12.6
ARG CUDNN_VERSION=9.5.0.50

# Adjust as needed
# Check your CUDA arch at https://developer.example.org/cuda-gpus
ARG CMAKE_CUDA_ARCHITECTURES=75;80;90;100;120

ENV DEBIAN_FRONTEND=noninteractive

RUN apt-get update && apt-get install -y --no-install-recommends \
    git \
    bash \
    wget \
    zip \
    python3-dev python3-pip \
    && rm -rf /var/lib/apt/lists/*

ADD --checksum=sha256:9d2f7fcbdc1c1e2f06c40dd4ba10fe6a5a5b4dbf0b9f4c8b4e54c0e5c6c5d4b3 https://releases.example.org/cmake-3.31.5-linux-x86_64.tar.gz /tmp/
RUN tar zxf /tmp/cmake-3.31.5-linux-x86_64.tar.gz --strip=1 -C /usr

WORKDIR /code
COPY . /code
ENV PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:${PATH}

# without unit tests, for time
RUN /bin/bash build.sh \
    --allow_running_as_root \
    --skip_submodule_sync \
    --cuda_home /usr/local/cuda \
    --cudnn_home /usr/lib/x86_64-linux-gnu/ \
    --use_cuda \
    --config Release \
    --build_wheel \
    --parallel \
    --skip_tests \
    --cmake_extra_defines RT_VERSION=$(cat ./VERSION_NUMBER) 'CMAKE_CUDA_ARCHITECTURES=${CMAKE_CUDA_ARCHITECTURES}'

FROM nvidia/cuda:12.6.1-cudnn-runtime-ubuntu20.04
COPY --from=0 /code/build/Linux/Release/dist /root
COPY --from=0 /code/dockerfiles/LICENSE-IMAGE.txt /code/LICENSE-IMAGE.txt

ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends \
    libstdc++6 \
    python3-pip \
    && pip3 install /root/*.whl \
    && rm -rf /root/*.whl /var/lib/apt/lists/*
