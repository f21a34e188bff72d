# Shape of: github.com/home-assistant/core (Dockerfile)
# Build with: --build-arg BUILD_FROM=ghcr.io/butler/amd64-base:2024.10.0
# Written by the script that checks integrations.
#
# To update, run python3 -m script.check -p docker
ARG BUILD_FROM
FROM ${BUILD_FROM}

# as long as the program itself takes to stop
ENV \
    S6_SERVICES_GRACETIME=240000 \
    UV_SYSTEM_PYTHON=true \
    UV_NO_CACHE=true

ARG QEMU_CPU

# Install uv
RUN pip3 install uv==0.4.22

WORKDIR /usr/src

## what all of it needs
COPY requirements.txt butler/
COPY butler/package_constraints.txt butler/butler/
RUN \
    uv pip install \
        --no-build \
        -r butler/requirements.txt

COPY requirements_all.txt butler_frontend-* butler_intents-* butler/
RUN \
    if ls butler/butler_*.whl 1> /dev/null 2>&1; then \
        uv pip install butler/butler_*.whl; \
    fi \
    && if [ "${BUILD_ARCH}" = "i386" ]; then \
        LD_PRELOAD="/usr/local/lib/libjemalloc.so.2" \
        MALLOC_CONF="background_thread:true,metadata_thp:auto" \
        linux32 uv pip install \
            --no-build \
            -r butler/requirements_all.txt; \
    else \
        LD_PRELOAD="/usr/local/lib/libjemalloc.so.2" \
        uv pip install \
            --no-build \
            -r butler/requirements_all.txt; \
    fi

## the program
COPY . butler/
RUN \
    uv pip install \
        #--no-build \
        -e ./butler \
    && python3 -m compileall \
        butler/butler

# services
COPY rootfs /

WORKDIR /config
