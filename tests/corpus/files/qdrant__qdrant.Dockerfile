# Shape of: github.com/qdrant/qdrant (Dockerfile)
# The maker of the graphics card, if it is to compute:
# nvidia, amd or nothing.
# Bases depend on it.
ARG GPU

FROM --platform=${BUILDPLATFORM:-linux/amd64} tonistiigi/xx AS xx

# The layers of dependencies are made of a recipe that changes seldom.
FROM --platform=${BUILDPLATFORM:-linux/amd64} lukemathwalker/cargo-chef:latest-rust-1.82.0 AS chef


FROM chef AS planner
WORKDIR /vectors
COPY . .
RUN cargo chef prepare --recipe-path recipe.json


FROM chef AS builder
WORKDIR /vectors

COPY --from=xx / /

# The moment an argument for the target is declared, the cache of the
# platforms parts: keep it down here.
RUN apt-get update \
    && apt-get install -y clang lld cmake protobuf-compiler jq \
    && rustup component add rustfmt

ARG BUILDPLATFORM
ENV BUILDPLATFORM=${BUILDPLATFORM:-linux/amd64}

ARG MOLD_VERSION=2.34.1

RUN case "$BUILDPLATFORM" in \
        */amd64 ) PLATFORM=x86_64 ;; \
        */arm64 | */arm64/* ) PLATFORM=aarch64 ;; \
        * ) echo "Unexpected BUILDPLATFORM '$BUILDPLATFORM'" >&2; exit 1 ;; \
    esac; \
    mkdir -p /opt/mold; \
    cd /opt/mold; \
    TARBALL="mold-$MOLD_VERSION-$PLATFORM-linux.tar.gz"; \
    curl -sSLO "https://releases.example.org/$TARBALL"; \
    tar -xf "$TARBALL" --strip-components 1; \
    rm "$TARBALL"

ARG TARGETPLATFORM
ENV TARGETPLATFORM=${TARGETPLATFORM:-linux/amd64}

RUN xx-apt-get install -y pkg-config gcc g++ libc6-dev libunwind-dev

# release, dev or ci
ARG PROFILE=release
# more features
ARG FEATURES
# more flags
ARG RUSTFLAGS
# mold, lld or nothing
ARG LINKER=mold
ARG GPU

COPY --from=planner /vectors/recipe.json recipe.json
RUN PKG_CONFIG="/usr/bin/$(xx-info)-pkg-config" \
    PATH="$PATH:/opt/mold/bin" \
    RUSTFLAGS="${LINKER:+-C link-arg=-fuse-ld=}$LINKER $RUSTFLAGS" \
    xx-cargo chef cook --profile $PROFILE ${FEATURES:+--features} $FEATURES --features=stacktrace ${GPU:+--features=gpu} --recipe-path recipe.json

COPY . .
# which --version shows
ARG GIT_COMMIT_ID
RUN PKG_CONFIG="/usr/bin/$(xx-info)-pkg-config" \
    PATH="$PATH:/opt/mold/bin" \
    RUSTFLAGS="${LINKER:+-C link-arg=-fuse-ld=}$LINKER $RUSTFLAGS" \
    xx-cargo build --profile $PROFILE ${FEATURES:+--features} $FEATURES --features=stacktrace ${GPU:+--features=gpu} --bin vectors \
    && PROFILE_DIR=$(if [ "$PROFILE" = dev ]; then echo debug; else echo $PROFILE; fi) \
    && mv target/$(xx-cargo --print-target-triple)/$PROFILE_DIR/vectors /vectors/vectors

RUN mkdir /static && STATIC_DIR=/static ./tools/sync-web-ui.sh


# Dockerfile does not support conditional `FROM` directly: two names and an expansion do.
FROM debian:12-slim AS vectors-cpu
FROM nvidia/opengl:1.2-glvnd-devel-ubuntu22.04 AS vectors-gpu-nvidia
ENV NVIDIA_DRIVER_CAPABILITIES compute,graphics,utility
FROM rocm/dev-ubuntu-22.04 AS vectors-gpu-amd
FROM vectors-${GPU:+gpu-}${GPU:-cpu} AS vectors

# What else someone wants in it,
# a debugger perhaps
ARG PACKAGES

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates tzdata libunwind8 $PACKAGES \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/lib/dpkg/status-old

# The sources, for that debugger:
#
# anything but nothing brings them
ARG SOURCES

# Dockerfile does not support conditional `COPY` directly, and a dot that exists is a pattern's way out.
ENV DIR=${SOURCES:+/vectors/src}
COPY --from=builder ${DIR:-/null?} $DIR/

ARG APP=/vectors

ARG USER_ID=0

RUN if [ "$USER_ID" != 0 ]; then \
        groupadd --gid "$USER_ID" vectors; \
        useradd --uid "$USER_ID" --gid "$USER_ID" -m vectors; \
        mkdir -p "$APP"/storage "$APP"/snapshots; \
        chown -R "$USER_ID:$USER_ID" "$APP"; \
    fi

COPY --from=builder --chown=$USER_ID:$USER_ID /vectors/vectors "$APP"/vectors
COPY --from=builder --chown=$USER_ID:$USER_ID /vectors/config "$APP"/config
COPY --from=builder --chown=$USER_ID:$USER_ID /vectors/tools/entrypoint.sh "$APP"/entrypoint.sh
COPY --from=builder --chown=$USER_ID:$USER_ID /static "$APP"/static

WORKDIR "$APP"

USER "$USER_ID:$USER_ID"

ENV TZ=Etc/UTC \
    RUN_MODE=production

EXPOSE 6333
EXPOSE 6334

LABEL org.opencontainers.image.title="Vectors"
LABEL org.opencontainers.image.description="Similarity search"
LABEL org.opencontainers.image.url="https://vectors.example.org/"
LABEL org.opencontainers.image.source="https://git.example.org/vectors"

CMD ["./entrypoint.sh"]
