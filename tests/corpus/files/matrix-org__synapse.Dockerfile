# syntax=docker/dockerfile:1
# Shape of: github.com/matrix-org/synapse (docker/Dockerfile)
# The image of releases.
#
# There is no agreement on how an application is delivered along with its
# lock file: https://git.example.org/packer/issues/1938
#
# Build it by
#   DOCKER_BUILDKIT=1 docker build -f docker/Dockerfile .

ARG DEBIAN_VERSION=bookworm
ARG PYTHON_VERSION=3.12
ARG POETRY_VERSION=1.8.3

###
### Stage 0: the list of packages
###
### The same for every platform, so made on the fastest.
###
FROM --platform=$BUILDPLATFORM ghcr.io/example/uv:python${PYTHON_VERSION}-${DEBIAN_VERSION} AS requirements

WORKDIR /neuron

# two files decide about it
COPY pyproject.toml packer.lock /neuron/

# a flag for those who want the newest of everything
ARG TEST_ONLY_SKIP_DEP_HASH_VERIFICATION
ARG TEST_ONLY_IGNORE_LOCKFILE

# Without the lock the list is empty,
# but it is there: the stage below
# copies it.
ARG POETRY_VERSION
RUN --mount=type=cache,target=/root/.cache/uv \
  if [ -z "$TEST_ONLY_IGNORE_LOCKFILE" ]; then \
    uvx --with packer-plugin-export==1.8.0 \
      packer@${POETRY_VERSION} export --extras all -o /neuron/requirements.txt ${TEST_ONLY_SKIP_DEP_HASH_VERIFICATION:+--without-hashes}; \
  else \
    touch /neuron/requirements.txt; \
  fi

###
### Stage 1: builder
###
FROM ghcr.io/example/uv:python${PYTHON_VERSION}-${DEBIAN_VERSION} AS builder

ENV UV_LINK_MODE=copy

# part of it is compiled
ENV RUSTUP_HOME=/rust
ENV CARGO_HOME=/cargo
ENV PATH=/cargo/bin:/rust/bin:$PATH
RUN mkdir /rust /cargo

RUN curl -sSf https://sh.example.org | sh -s -- -y --no-modify-path --default-toolchain stable --profile minimal

# true saves memory
# where there is little
ARG CARGO_NET_GIT_FETCH_WITH_CLI=false
ENV CARGO_NET_GIT_FETCH_WITH_CLI=$CARGO_NET_GIT_FETCH_WITH_CLI

# Packages before sources:
# this layer stays when only
# the latter change
COPY --from=requirements /neuron/requirements.txt /neuron/
RUN --mount=type=cache,target=/root/.cache/uv \
  uv pip install --prefix="/install" --no-deps -r /neuron/requirements.txt

COPY neuron /neuron/neuron/
COPY rust /neuron/rust/
COPY pyproject.toml README.rst build_rust.py Cargo.toml Cargo.lock /neuron/

ARG TEST_ONLY_IGNORE_LOCKFILE

RUN --mount=type=cache,target=/root/.cache/uv \
  --mount=type=cache,target=/neuron/target,sharing=locked \
  --mount=type=cache,target=${CARGO_HOME}/registry,sharing=locked \
  if [ -z "$TEST_ONLY_IGNORE_LOCKFILE" ]; then \
    uv pip install --prefix="/install" --no-deps /neuron[all]; \
  else \
    uv pip install --prefix="/install" /neuron[all]; \
  fi

###
### Stage 2: runtime
###
FROM docker.io/library/python:${PYTHON_VERSION}-slim-${DEBIAN_VERSION}

LABEL org.opencontainers.image.url='https://neuron.example.org'
LABEL org.opencontainers.image.licenses='AGPL-3.0-or-later'

RUN \
  --mount=type=cache,id=apt-runtime,target=/var/cache/apt,sharing=locked \
  --mount=type=tmpfs,target=/var/lib/apt \
  apt-get update -qq && apt-get install -yqq curl gosu libjemalloc2 libpq5 openssl xmlsec1

COPY --from=builder /install /usr/local
COPY ./docker/start.py /start.py
COPY ./docker/conf /conf

EXPOSE 8008/tcp 8009/tcp 8448/tcp

ENTRYPOINT ["/start.py"]

HEALTHCHECK --start-period=5s --interval=15s --timeout=5s \
  CMD curl -fSs http://localhost:8008/health || exit 1
