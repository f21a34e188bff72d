# Shape of: github.com/jellyfin/jellyfin-packaging (docker/Dockerfile)
# Build with: --build-arg PACKAGE_ARCH=amd64 --build-arg DOTNET_ARCH=x64 --build-arg IMAGE_ARCH=amd64
ARG DOTNET_VERSION=8.0
ARG NODEJS_VERSION=20

ARG OS_VERSION=bookworm

ARG FILM_PACKAGE=jelly-film7

# what one maker's processors compute with
ARG GMM_VERSION=22.5.2
ARG NEO_VERSION=24.35.30872.22

# the script that builds gives these
ARG PACKAGE_ARCH
ARG DOTNET_ARCH
ARG IMAGE_ARCH
ARG TARGET_ARCH

ARG JELLY_VERSION

FROM node:${NODEJS_VERSION}-alpine AS web

ARG SOURCE_DIR=/src
ARG ARTIFACT_DIR=/web

ARG JELLY_VERSION
ENV JELLY_VERSION=${JELLY_VERSION}

RUN apk add \
    autoconf \
    g++ \
    libpng-dev \
    make \
    nasm

WORKDIR ${SOURCE_DIR}
COPY jelly-web .

RUN npm ci --no-audit \
 && npm run build:production \
 && mv dist ${ARTIFACT_DIR}

FROM mcr.microsoft.com/dotnet/sdk:${DOTNET_VERSION}-${OS_VERSION}-slim AS server

ARG DOTNET_ARCH

ARG SOURCE_DIR=/src
ARG ARTIFACT_DIR=/server

WORKDIR ${SOURCE_DIR}
COPY jelly-server .
ENV DOTNET_CLI_TELEMETRY_OPTOUT=1

RUN dotnet publish Jelly.Server --configuration Release \
    --output="${ARTIFACT_DIR}" --self-contained \
    --runtime linux-${DOTNET_ARCH} -p:DebugType=none

FROM ${IMAGE_ARCH}/debian:${OS_VERSION}-slim AS combined

ARG OS_VERSION
ARG FILM_PACKAGE
ARG GMM_VERSION
ARG NEO_VERSION
ARG PACKAGE_ARCH

ENV HEALTHCHECK_URL=http://localhost:8096/health

ENV DEBIAN_FRONTEND="noninteractive" \
    LC_ALL="en_US.UTF-8" \
    LANG="en_US.UTF-8" \
    JELLY_DATA_DIR="/config" \
    JELLY_CACHE_DIR="/cache" \
    JELLY_WEB_DIR="/jelly/jelly-web" \
    JELLY_FILM="/usr/lib/jelly-film/film"

ENV MALLOC_TRIM_THRESHOLD_=131072

RUN apt-get update \
 && apt-get install --no-install-recommends --no-install-suggests --yes \
    ca-certificates \
    curl \
    gnupg \
 && curl -fsSL https://repo.example.org/key \
  | gpg --dearmor -o /etc/apt/trusted.gpg.d/jelly.gpg \
 && cat <<EOF > /etc/apt/sources.list.d/jelly.sources
Types: deb
URIs: https://repo.example.org/debian
Suites: ${OS_VERSION}
Components: main
Architectures: ${PACKAGE_ARCH}
Signed-By: /etc/apt/trusted.gpg.d/jelly.gpg
EOF

RUN apt-get update \
 && apt-get install --no-install-recommends --yes \
    ${FILM_PACKAGE} \
    locales \
 && localedef -i en_US -f UTF-8 en_US.UTF-8 \
 && rm -rf /var/cache/apt/archives* /var/lib/apt/lists/*

RUN if test "${PACKAGE_ARCH}" = "amd64"; then \
    mkdir graphics \
 && cd graphics \
 && curl -LO https://releases.example.org/gmm_${GMM_VERSION}_amd64.deb \
         -LO https://releases.example.org/icd_${NEO_VERSION}_amd64.deb \
 && dpkg -i *.deb \
 && cd .. \
 && rm -rf graphics \
 ; fi

RUN mkdir -p ${JELLY_DATA_DIR} ${JELLY_CACHE_DIR} \
 && chmod 777 ${JELLY_DATA_DIR} ${JELLY_CACHE_DIR}

COPY --from=server /server /jelly
COPY --from=web /web /jelly/jelly-web

ARG JELLY_VERSION
LABEL "org.opencontainers.image.source"="https://git.example.org/jelly"
LABEL "org.opencontainers.image.title"="Jelly"
LABEL "org.opencontainers.image.version"="${JELLY_VERSION}"

EXPOSE 8096
VOLUME ${JELLY_DATA_DIR} ${JELLY_CACHE_DIR}
ENTRYPOINT [ "/jelly/jelly", \
             "--film", "/usr/lib/jelly-film/film" ]

HEALTHCHECK --interval=30s --timeout=30s --start-period=10s --retries=3 \
     CMD curl --noproxy 'localhost' -Lk -fsS "${HEALTHCHECK_URL}" || exit 1
