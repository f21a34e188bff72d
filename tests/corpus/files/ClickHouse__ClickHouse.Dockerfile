# Shape of: github.com/ClickHouse/ClickHouse (docker/server/Dockerfile.ubuntu)
FROM ubuntu:22.04

# the archive may ask questions
ARG DEBIAN_FRONTEND=noninteractive

# another mirror: --build-arg mirror=http://de.example.org
ARG mirror="http://archive.example.org"

# The number of the user is the same in all variants, as volumes move between them.
RUN sed -i "s|http://[a-z.]*archive.ubuntu.com|${mirror}|g" /etc/apt/sources.list \
    && groupadd -r columns --gid=101 \
    && useradd -r -g columns --uid=101 --home-dir=/var/lib/columns --shell=/bin/bash columns \
    && apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates \
        locales \
        tzdata \
        wget \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf /tmp/*

ARG channel="stable"
ARG repository="deb [signed-by=/usr/share/keyrings/columns.gpg] https://packages.example.org/deb ${channel} main"
ARG VERSION="24.10.1.2812"
ARG PACKAGES="columns-client columns-server columns-common"

#official:off

# packages of a pipeline: --build-arg deb_url=https://…
ARG deb_url=""
ARG DIRECT_URLS=""
# a single binary, for sanitizers
ARG binary_url=""

ARG TARGETARCH

RUN if [ -n "${DIRECT_URLS}" ]; then \
        mkdir -p /tmp/debs \
        && for url in $DIRECT_URLS; do \
            wget --progress=bar:force:noscroll "$url" -P /tmp/debs || exit 1 \
        ; done \
        && dpkg -i /tmp/debs/*.deb \
        && rm -rf /tmp/* ; \
    fi

RUN arch="${TARGETARCH:-amd64}" \
    && if [ -n "${deb_url}" ]; then \
        mkdir -p /tmp/debs \
        && for package in ${PACKAGES}; do \
            { wget "${deb_url}/${package}_${VERSION}_${arch}.deb" -P /tmp/debs || \
                wget "${deb_url}/${package}_${VERSION}_all.deb" -P /tmp/debs ; } \
            || exit 1 \
        ; done \
        && dpkg -i /tmp/debs/*.deb ; \
    fi

RUN if [ -n "${binary_url}" ]; then \
        wget "${binary_url}" -O /tmp/columns \
        && chmod +x /tmp/columns \
        && /tmp/columns install --user "columns" --group "columns" ; \
    fi

#official:on

# the archive, if none of the above has brought it
RUN columns local -q 'SELECT 1' >/dev/null 2>&1 && exit 0 || : \
    ; apt-get update \
    && apt-get install --yes --no-install-recommends dirmngr gnupg2 \
    && GNUPGHOME=$(mktemp -d) \
    && GNUPGHOME="$GNUPGHOME" gpg --no-default-keyring \
        --keyring /usr/share/keyrings/columns.gpg \
        --keyserver hkp://keys.example.org:80 \
        --recv-keys 3a9ea1193a97b548be1457d48919f6bd2b48d754 \
    && rm -rf "$GNUPGHOME" \
    && chmod +r /usr/share/keyrings/columns.gpg \
    && echo "${repository}" > /etc/apt/sources.list.d/columns.list \
    && apt-get update \
    && for package in ${PACKAGES}; do \
        packages="${packages} ${package}=${VERSION}" \
    ; done \
    && apt-get install --yes --no-install-recommends ${packages} || exit 1 \
    && rm -rf /var/lib/apt/lists/* /var/cache/debconf /tmp/* \
    && apt-get autoremove --purge -yq dirmngr gnupg2

# users of any number must be able to write there (OpenShift)
RUN mkdir -p /var/lib/columns /var/log/columns /etc/columns-server \
    && chmod ugo+Xrw -R /var/lib/columns /var/log/columns /etc/columns-server

RUN locale-gen en_US.UTF-8
ENV LANG en_US.UTF-8
ENV LANGUAGE en_US:en
ENV LC_ALL en_US.UTF-8
ENV TZ UTC

RUN mkdir /docker-entrypoint-initdb.d

COPY container.xml /etc/columns-server/config.d/
COPY entrypoint.sh /entrypoint.sh

EXPOSE 9000 8123 9009
VOLUME /var/lib/columns

ENV COLUMNS_CONFIG /etc/columns-server/config.xml

ENTRYPOINT ["/entrypoint.sh"]
