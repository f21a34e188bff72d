# syntax=docker/dockerfile:1.10
# Shape of: github.com/mastodon/mastodon (Dockerfile)

# For development there is another file, in .devcontainer

# Set by the client, or here for those that set nothing:
# [--platform linux/arm64,linux/amd64]
ARG TARGETPLATFORM=${TARGETPLATFORM}
ARG BUILDPLATFORM=${BUILDPLATFORM}

# [--build-arg RUBY_VERSION="3.3.x"]
ARG RUBY_VERSION="3.3.5"
# [--build-arg NODE_MAJOR_VERSION="20"]
ARG NODE_MAJOR_VERSION="20"
# [--build-arg DEBIAN_VERSION="bookworm"]
ARG DEBIAN_VERSION="bookworm"
FROM docker.io/node:${NODE_MAJOR_VERSION}-${DEBIAN_VERSION}-slim AS node
FROM docker.io/ruby:${RUBY_VERSION}-slim-${DEBIAN_VERSION} AS ruby

# a suffix of the version, and what comes behind its plus
ARG ELEPHANT_VERSION_PRERELEASE=""
ARG ELEPHANT_VERSION_METADATA=""

ARG RAILS_SERVE_STATIC_FILES="true"
ARG RUBY_YJIT_ENABLE="1"
ARG TZ="Etc/UTC"
ARG UID="991"
ARG GID="991"

ENV \
# into the version that pages show
  ELEPHANT_VERSION_PRERELEASE="${ELEPHANT_VERSION_PRERELEASE}" \
  ELEPHANT_VERSION_METADATA="${ELEPHANT_VERSION_METADATA}" \
# files, by the application itself
  RAILS_SERVE_STATIC_FILES=${RAILS_SERVE_STATIC_FILES} \
  RUBY_YJIT_ENABLE=${RUBY_YJIT_ENABLE} \
  TZ=${TZ}

ENV \
  BIND="0.0.0.0" \
  NODE_ENV="production" \
  RAILS_ENV="production" \
  DEBIAN_FRONTEND="noninteractive" \
  PATH="${PATH}:/opt/ruby/bin:/opt/elephant/bin" \
# a leak is only one of threads
  MALLOC_CONF="narenas:2,background_thread:true,thp:never,dirty_decay_ms:1000,muzzy_decay_ms:0"

SHELL ["/bin/bash", "-o", "pipefail", "-o", "errexit", "-c"]

ARG TARGETPLATFORM

RUN echo "Target platform is $TARGETPLATFORM"

RUN \
# packages stay in the caches of the steps below
  rm -f /etc/apt/apt.conf.d/docker-clean; \
  echo 'Binary::apt::APT::Keep-Downloaded-Packages "true";' > /etc/apt/apt.conf.d/keep-cache; \
  echo "${TZ}" > /etc/localtime; \
  groupadd -g "${GID}" elephant; \
  useradd -l -u "${UID}" -g "${GID}" -m -d /opt/elephant elephant; \
  ln -s /opt/elephant /elephant;

WORKDIR /opt/elephant

# hadolint ignore=DL3008,DL3005
RUN \
  --mount=type=cache,id=apt-cache-${TARGETPLATFORM},target=/var/cache/apt,sharing=locked \
  --mount=type=cache,id=apt-lib-${TARGETPLATFORM},target=/var/lib/apt,sharing=locked \
  apt-get update; \
  apt-get dist-upgrade -yq; \
  apt-get install -y --no-install-recommends \
    curl \
    file \
    libjemalloc2 \
    patchelf \
    tini \
    tzdata \
  ; \
# without a change to the program: it loads the allocator by itself
  patchelf --add-needed libjemalloc.so.2 /usr/local/bin/ruby; \
  apt-get purge -y patchelf;

FROM ruby AS build

ARG TARGETPLATFORM

# hadolint ignore=DL3008
RUN \
  --mount=type=cache,id=apt-cache-${TARGETPLATFORM},target=/var/cache/apt,sharing=locked \
  --mount=type=cache,id=apt-lib-${TARGETPLATFORM},target=/var/lib/apt,sharing=locked \
  apt-get install -y --no-install-recommends \
    autoconf \
    build-essential \
    cmake \
    git \
    libicu-dev \
    libidn-dev \
    libpq-dev \
    meson \
    nasm \
    pkg-config \
  # for pictures
    libcgif-dev \
    libexif-dev \
    libjpeg62-turbo-dev \
    libwebp-dev \
  # for films
    libdav1d-dev \
    libx264-dev \
    libx265-dev \
  ;

FROM build AS libpix

# [--build-arg PIX_VERSION=8.15.3]
ARG PIX_VERSION=8.15.4
ARG PIX_URL=https://releases.example.org/pix

WORKDIR /usr/local/pix/src

RUN curl -sSL -o pix-${PIX_VERSION}.tar.xz ${PIX_URL}/v${PIX_VERSION}/pix-${PIX_VERSION}.tar.xz; tar xf pix-${PIX_VERSION}.tar.xz; \
  cd pix-${PIX_VERSION}; \
  meson setup build --prefix /usr/local/pix --libdir=lib -Ddeprecated=false; \
  cd build; \
  ninja; \
  ninja install;

FROM build AS film

ARG FILM_VERSION=7.0.2
ARG FILM_URL=https://releases.example.org/film

WORKDIR /usr/local/film/src

RUN \
  curl -sSL -o film-${FILM_VERSION}.tar.xz ${FILM_URL}/film-${FILM_VERSION}.tar.xz; \
  tar xf film-${FILM_VERSION}.tar.xz; \
  cd film-${FILM_VERSION}; \
  ./configure \
    --prefix=/usr/local/film \
    --disable-debug \
    --disable-doc \
    --disable-network \
    --enable-libdav1d \
    --enable-libx264 \
    --enable-shared \
  ; \
  make -j$(nproc); \
  make install;

FROM build AS bundler

ARG TARGETPLATFORM

COPY Gemfile* /opt/elephant/

RUN \
  bundle config set --global frozen "true"; \
  bundle config set --global cache_all "false"; \
  bundle config set --local without "development test"; \
  bundle install -j"$(nproc)";

FROM build AS yarn

ARG TARGETPLATFORM

COPY package.json yarn.lock .yarnrc.yml /opt/elephant/
COPY streaming/package.json /opt/elephant/streaming/
COPY .yarn /opt/elephant/.yarn

# hadolint ignore=DL3008
RUN \
  --mount=type=cache,id=corepack-cache-${TARGETPLATFORM},target=/usr/local/share/.cache/corepack,sharing=locked \
  --mount=type=cache,id=yarn-cache-${TARGETPLATFORM},target=/usr/local/share/.cache/yarn,sharing=locked \
  yarn workspaces focus --production @elephant/elephant;

FROM build AS precompiler

ARG TARGETPLATFORM

COPY . /opt/elephant/

COPY --from=node /usr/local/bin /usr/local/bin
COPY --from=node /usr/local/lib /usr/local/lib
COPY --from=yarn /opt/elephant /opt/elephant/
COPY --from=bundler /opt/elephant /opt/elephant/
COPY --from=bundler /usr/local/bundle/ /usr/local/bundle/
COPY --from=libpix /usr/local/pix/bin /usr/local/bin
COPY --from=libpix /usr/local/pix/lib /usr/local/lib

RUN \
  ldconfig; \
# nothing that these protect is there yet
  SECRET_KEY_BASE_DUMMY=1 \
  bundle exec rails assets:precompile; \
  rm -fr /opt/elephant/tmp;

FROM ruby AS elephant

ARG TARGETPLATFORM

# hadolint ignore=DL3008
RUN \
  --mount=type=cache,id=apt-cache-${TARGETPLATFORM},target=/var/cache/apt,sharing=locked \
  --mount=type=cache,id=apt-lib-${TARGETPLATFORM},target=/var/lib/apt,sharing=locked \
  --mount=type=tmpfs,target=/var/log \
  apt-get install -y --no-install-recommends \
    libexpat1 \
    libicu72 \
    libpq5 \
    libwebpmux3 \
  ;

COPY . /opt/elephant/

COPY --from=precompiler /opt/elephant/public/packs /opt/elephant/public/packs
COPY --from=precompiler /opt/elephant/public/assets /opt/elephant/public/assets
COPY --from=bundler /usr/local/bundle/ /usr/local/bundle/
COPY --from=libpix /usr/local/pix/lib /usr/local/lib
COPY --from=film /usr/local/film/bin /usr/local/bin
COPY --from=film /usr/local/film/lib /usr/local/lib

RUN \
  ldconfig; \
  film -version; \
  bundle exec bootsnap precompile --gemfile app/ lib/;

RUN \
  mkdir -p /opt/elephant/public/system; \
  chown elephant:elephant /opt/elephant/public/system; \
  chown -R elephant:elephant /opt/elephant/tmp;

USER elephant
EXPOSE 3000
ENTRYPOINT ["/usr/bin/tini", "--"]
