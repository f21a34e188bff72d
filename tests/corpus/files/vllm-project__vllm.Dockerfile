# Shape of: github.com/vllm-project/vllm (docker/Dockerfile)
# Serves models behind an interface that clients of others know.
#
# Stages: base -> build -> (serving <- test), dev
# When a stage is added here, draw it in docs/stages.svg too.

ARG CUDA_VERSION=12.8.1
ARG PYTHON_VERSION=3.12

# Any image with the same packages will do, for instance one of your own registry:
# docker build --build-arg BUILD_BASE=registry.example.com/cuda:${CUDA_VERSION}-devel .
ARG BUILD_BASE=nvidia/cuda:${CUDA_VERSION}-devel-ubuntu20.04
ARG FINAL_BASE=nvidia/cuda:${CUDA_VERSION}-devel-ubuntu22.04

# Where packages come from. Each has a default that can be replaced by a mirror; the variables of the second installer
# follow those of the first, unless they are given as well.
ARG PPA_URL
ARG PPA_KEY_URL
ARG BOOTSTRAP_URL="https://bootstrap.example.org/get-pip.py"
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG UV_INDEX_URL=${PIP_INDEX_URL}
ARG UV_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL}
ARG WHEELS=https://download.example.org/whl
ARG WHEELS_NIGHTLY=${WHEELS}/nightly
ARG PIP_KEYRING_PROVIDER=disabled
ARG UV_KEYRING_PROVIDER=${PIP_KEYRING_PROVIDER}

#################### BASE ####################
FROM ${BUILD_BASE} AS base
ARG CUDA_VERSION
ARG PYTHON_VERSION
ARG TARGETPLATFORM
ENV DEBIAN_FRONTEND=noninteractive

ARG PPA_URL
ARG PPA_KEY_URL
ARG BOOTSTRAP_URL

RUN echo 'tzdata tzdata/Areas select Etc' | debconf-set-selections \
    && apt-get update -y \
    && apt-get install -y ccache curl git software-properties-common \
    && if [ ! -z ${PPA_URL} ] ; then \
        if [ ! -z "${PPA_KEY_URL}" ] ; then \
            mkdir -p -m 0755 /etc/apt/keyrings ; \
            curl -L ${PPA_KEY_URL} | gpg --dearmor > /etc/apt/keyrings/ppa.gpg ; \
            echo "deb [signed-by=/etc/apt/keyrings/ppa.gpg] ${PPA_URL} $(lsb_release -cs) main" > /etc/apt/sources.list.d/ppa.list ; \
        fi ; \
    else \
        for try in 1 2 3; do \
            add-apt-repository -y ppa:pythons/ppa && break || \
            { echo "try $try"; sleep 5; }; \
        done ; \
    fi \
    && apt-get update -y \
    && apt-get install -y python${PYTHON_VERSION} python${PYTHON_VERSION}-dev \
    && ln -sf /usr/bin/python${PYTHON_VERSION} /usr/bin/python3 \
    && curl -sS ${BOOTSTRAP_URL} | python${PYTHON_VERSION} \
    && python3 -m pip --version

ARG PIP_INDEX_URL UV_INDEX_URL
ARG PIP_EXTRA_INDEX_URL UV_EXTRA_INDEX_URL
ARG WHEELS
ARG WHEELS_NIGHTLY
ARG PIP_KEYRING_PROVIDER UV_KEYRING_PROVIDER

RUN --mount=type=cache,target=/root/.cache/uv \
    python3 -m pip install uv

# large wheels, slow lines
ENV UV_HTTP_TIMEOUT=500
ENV UV_INDEX_STRATEGY="unsafe-best-match"

# the compiler of the distribution warns of every template there is
RUN apt-get install -y gcc-10 g++-10 && update-alternatives --install /usr/bin/gcc gcc /usr/bin/gcc-10 110 --slave /usr/bin/g++ g++ /usr/bin/g++-10
RUN <<EOF
gcc --version
EOF

# libraries of the driver that stand in where there is none
RUN ldconfig /usr/local/cuda-$(echo $CUDA_VERSION | cut -d. -f1,2)/compat/

WORKDIR /workspace

# one platform has only wheels of the night
RUN --mount=type=cache,target=/root/.cache/uv \
    if [ "$TARGETPLATFORM" = "linux/arm64" ]; then \
        uv pip install --system \
            --index-url ${WHEELS_NIGHTLY}/cu$(echo $CUDA_VERSION | cut -d. -f1,2 | tr -d '.') \
            "lamp==2.8.0.dev20250318+cu128" "lampshade==0.22.0.dev20250319";  \
    fi

COPY requirements/common.txt requirements/common.txt
COPY requirements/cuda.txt requirements/cuda.txt
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system -r requirements/cuda.txt \
    --extra-index-url ${WHEELS}/cu$(echo $CUDA_VERSION | cut -d. -f1,2 | tr -d '.')

# the generations of processors that kernels are compiled for, each making the wheel larger
ARG cuda_arch_list='7.0 7.5 8.0 8.9 9.0 10.0+PTX'
ENV LAMP_CUDA_ARCH_LIST=${cuda_arch_list}
ARG attention_arches='80-real;90-real'
ENV ATTENTION_ARCHES=${attention_arches}
#################### BASE ####################

#################### WHEEL ####################
FROM base AS build
ARG TARGETPLATFORM

ARG PIP_INDEX_URL UV_INDEX_URL
ARG PIP_EXTRA_INDEX_URL UV_EXTRA_INDEX_URL
ARG WHEELS

COPY requirements/build.txt requirements/build.txt

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system -r requirements/build.txt

COPY . .
ARG CHECK_TREE=0
RUN --mount=type=bind,source=.git,target=.git \
    if [ "$CHECK_TREE" != "0" ]; then bash tools/check_tree.sh ; fi

# each job takes 4 GB
ARG max_jobs=2
ENV MAX_JOBS=${max_jobs}
ARG nvcc_threads=8
ENV NVCC_THREADS=$nvcc_threads

ARG USE_SCCACHE
ARG SCCACHE_URL=https://releases.example.org/sccache-v0.8.1-x86_64.tar.gz
ARG SCCACHE_BUCKET_NAME=wheels
ARG SCCACHE_REGION_NAME=eu-central-1
ARG SCCACHE_S3_NO_CREDENTIALS=0
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=.git,target=.git \
    if [ "$USE_SCCACHE" = "1" ]; then \
        curl -L -o sccache.tar.gz ${SCCACHE_URL} \
        && tar -xzf sccache.tar.gz -C /usr/bin --strip-components=1 \
        && export SCCACHE_BUCKET=${SCCACHE_BUCKET_NAME} \
        && export SCCACHE_REGION=${SCCACHE_REGION_NAME} \
        && export SCCACHE_S3_NO_CREDENTIALS=${SCCACHE_S3_NO_CREDENTIALS} \
        && python3 setup.py bdist_wheel --dist-dir=dist --py-limited-api=cp38 \
        && sccache --show-stats; \
    fi

ENV CCACHE_DIR=/root/.cache/ccache
RUN --mount=type=cache,target=/root/.cache/ccache \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=.git,target=.git  \
    if [ "$USE_SCCACHE" != "1" ]; then \
        # what an earlier try has left
        rm -rf .deps && \
        mkdir -p .deps && \
        python3 setup.py bdist_wheel --dist-dir=dist --py-limited-api=cp38; \
    fi

# the index refuses larger ones
COPY .ci/wheel-size.py wheel-size.py
ARG MAX_SIZE_MB=400
ENV MAX_SIZE_MB=$MAX_SIZE_MB
ARG CHECK_SIZE=true
RUN if [ "$CHECK_SIZE" = "true" ]; then python3 wheel-size.py dist; else echo "not checked"; fi
#################### WHEEL ####################

#################### DEV ####################
FROM base as dev

ARG PIP_INDEX_URL UV_INDEX_URL
ARG PIP_EXTRA_INDEX_URL UV_EXTRA_INDEX_URL
ARG WHEELS

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system --no-build-isolation "git+https://git.example.org/adder@v2.2.4"

COPY requirements/lint.txt requirements/test.txt requirements/dev.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system -r requirements/dev.txt
#################### DEV ####################

#################### INSTALLED ####################
FROM ${FINAL_BASE} AS installed
ARG CUDA_VERSION
ARG PYTHON_VERSION
WORKDIR /serve
ENV DEBIAN_FRONTEND=noninteractive
ARG TARGETPLATFORM

SHELL ["/bin/bash", "-c"]

RUN PYTHON_SHORT=$(echo ${PYTHON_VERSION} | sed 's/\.//g') && \
    echo "export PYTHON_SHORT=${PYTHON_SHORT}" >> /etc/environment

ARG PIP_INDEX_URL UV_INDEX_URL
ARG PIP_EXTRA_INDEX_URL UV_EXTRA_INDEX_URL
ARG WHEELS

RUN apt-get update -y && apt-get install -y curl ffmpeg git libgl1 libibverbs-dev python3-pip

# the wheel is never in a layer
RUN --mount=type=bind,from=build,src=/workspace/dist,target=/serve/dist \
    --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system dist/*.whl --verbose \
        --extra-index-url ${WHEELS}/cu$(echo $CUDA_VERSION | cut -d. -f1,2 | tr -d '.')

# a faster sampler, for one platform
RUN --mount=type=cache,target=/root/.cache/uv \
. /etc/environment && \
if [ "$TARGETPLATFORM" != "linux/arm64" ]; then \
    if [[ "$CUDA_VERSION" == 12.8* ]]; then \
        uv pip install --system https://download.example.org/sampler-0.2.5+cu128.whl; \
    else \
        export LAMP_CUDA_ARCH_LIST='7.5 8.0 8.9 9.0+PTX'; \
        uv pip install --system --no-build-isolation "git+https://git.example.org/sampler@21ea1d2" ; \
    fi \
fi
COPY examples examples
COPY benchmarks benchmarks
#################### INSTALLED ####################

#################### TEST ####################
FROM installed AS test

ADD . /serve/

ARG PYTHON_VERSION

ENV UV_HTTP_TIMEOUT=500

RUN --mount=type=cache,target=/root/.cache/uv \
    CUDA_MAJOR="${CUDA_VERSION%%.*}"; \
    if [ "$CUDA_MAJOR" -ge 12 ]; then \
        uv pip install --system -r requirements/dev.txt; \
    fi

# sources must not shadow what is installed
RUN mkdir src && mv serve src/serve
#################### TEST ####################

#################### SERVER ####################
FROM installed AS serving-base

RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --system accelerate hub-transfer 'modelzoo!=1.15.0'

ENV SERVE_SOURCE production-docker-image

FROM serving-base AS cloud
COPY examples/cloud-entrypoint.sh .
RUN chmod +x cloud-entrypoint.sh
ENTRYPOINT ["./cloud-entrypoint.sh"]

FROM serving-base AS serving

ENTRYPOINT ["python3", "-m", "serve.entrypoints.api"]
#################### SERVER ####################
