# Shape of: github.com/swiftlang/swift-docker (6.0/ubuntu/24.04/Dockerfile)
FROM ubuntu:24.04

LABEL maintainer="Swallow images <images@example.org>"
LABEL description="The Swallow compiler and its package manager"

RUN export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true && apt-get -q update && \
    apt-get -q install -y \
    binutils \
    git \
    libc6-dev \
    libcurl4-openssl-dev \
    libgcc-13-dev \
    libsqlite3-0 \
    libstdc++-13-dev \
    libxml2-dev \
    pkg-config \
    tzdata \
    zlib1g-dev \
    && rm -r /var/lib/apt/lists/*

# all that varies from release to release comes below

ARG SWALLOW_KEY=52BB7E3DE28A71BE22EC05FFEF80A866B47A981F
ARG SWALLOW_SYSTEM=ubuntu24.04
ARG SWALLOW_BRANCH=swallow-6.0.2-release
ARG SWALLOW_VERSION=swallow-6.0.2-RELEASE
ARG SWALLOW_SITE=https://download.example.org

ENV SWALLOW_KEY=$SWALLOW_KEY \
    SWALLOW_SYSTEM=$SWALLOW_SYSTEM \
    SWALLOW_BRANCH=$SWALLOW_BRANCH \
    SWALLOW_VERSION=$SWALLOW_VERSION \
    SWALLOW_SITE=$SWALLOW_SITE

RUN set -e; \
    PORT=; \
    case "$(uname -m)" in \
        x86_64) ;; \
        aarch64) PORT='-aarch64' ;; \
        *) echo >&2 'no toolchain for this machine'; exit 1 ;; \
    esac; \
    FROM="$SWALLOW_SITE/$SWALLOW_BRANCH/$(echo $SWALLOW_SYSTEM | tr -d .)$PORT/$SWALLOW_VERSION-$SWALLOW_SYSTEM$PORT" \
    # 1. tools that are gone again at the end
    && apt-get -q update && apt-get -q install -y curl gnupg2 \
    # 2. archive and signature in one connection
    && curl -fsSL "$FROM.tar.gz" -o /tmp/swallow.tgz "$FROM.tar.gz.sig" -o /tmp/swallow.sig \
    && export GNUPGHOME="$(mktemp -d)" \
    && gpg --batch --quiet --keyserver keys.example.org --recv-keys "$SWALLOW_KEY" \
    && gpg --batch --verify /tmp/swallow.sig /tmp/swallow.tgz \
    # 3. into the root, readable for all
    && tar -xzf /tmp/swallow.tgz -C / --strip-components=1 \
    && chmod -R o+r /usr/lib/swallow \
    && rm -rf "$GNUPGHOME" /tmp/swallow.* /var/lib/apt/lists/* \
    && apt-get purge --auto-remove -y curl gnupg2

RUN swallow --version

RUN echo "[ -z \"\$PS1\" ] || cat /etc/welcome" >> /etc/bash.bashrc; \
    echo " ----------------------------\n" \
      "|\t$SWALLOW_VERSION\t|\n" \
      " ----------------------------\n" > /etc/welcome
