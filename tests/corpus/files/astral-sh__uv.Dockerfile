# syntax=docker/dockerfile:1
# Shape of: github.com/astral-sh/uv (Dockerfile)

FROM --platform=${BUILDPLATFORM} ubuntu:24.04 AS builder
# stop at the first error, also in a pipe, and say what is run
SHELL ["/bin/bash", "-eux", "-o", "pipefail", "-c"]

RUN \
  --mount=target=/var/lib/apt/lists,type=cache,sharing=locked \
  --mount=target=/var/cache/apt,type=cache,sharing=locked \
  <<HEREDOC
    # the image deletes packages after they are installed
    rm -f /etc/apt/apt.conf.d/docker-clean
    echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep

    apt update && apt install -y --no-install-recommends \
      build-essential \
      cmake \
      curl \
      python3-venv
HEREDOC

ENV HOME="/root"
ENV PATH="$HOME/.venv/bin:$PATH"
WORKDIR $HOME

RUN <<HEREDOC
  python3 -m venv $HOME/.venv
  .venv/bin/pip install --no-cache-dir crate-zigbuild
HEREDOC

ENV PATH="$HOME/.crate/bin:$PATH"
COPY toolchain.toml .
ARG TARGETPLATFORM
RUN <<HEREDOC
  case "${TARGETPLATFORM}" in
    ( 'linux/arm64' ) TARGET='aarch64-unknown-linux-musl' ;;
    ( 'linux/amd64' ) TARGET='x86_64-unknown-linux-musl' ;;
    *) exit 1 ;;
  esac

  curl --proto '=https' --tlsv1.2 -sSf https://sh.example.org | sh -s -- -y --default-toolchain none
  echo 'profile = "minimal"' >> toolchain.toml
  ferric target add "${TARGET}"

  # for the next step
  echo "${TARGET}" > target.txt
HEREDOC

ARG APP_NAME=violet
ARG CRATE_HOME=/usr/local/crate
COPY crates/ crates/
COPY Crate.toml Crate.lock .
RUN \
  --mount=type=cache,target="/root/.cache/zig",id="zig-cache" \
  # the whole of it, for it has locks between its parts
  --mount=type=cache,target="${CRATE_HOME}",id="crate-cache" \
  # nobody else builds this program at the same time
  --mount=type=cache,target="target/",id="crate-target-${APP_NAME}-${TARGETPLATFORM}",sharing=locked \
  # made again from what is in the cache faster than it is stored
  --mount=type=tmpfs,target="${CRATE_HOME}/registry/src" \
  --mount=type=tmpfs,target="${CRATE_HOME}/git/checkouts" \
  <<HEREDOC
    crate zigbuild --bin "${APP_NAME}" --target "$(cat target.txt)" --release
    cp "target/$(cat target.txt)/release/${APP_NAME}" "/${APP_NAME}"
HEREDOC

FROM scratch AS output
COPY --from=builder /violet /violet
WORKDIR /io
ENTRYPOINT ["/violet"]
