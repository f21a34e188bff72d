# Shape of: github.com/timescale/timescaledb-docker (Dockerfile)
# Build with: --build-arg PREV_IMAGE=tide/tide:2.16.1-pg16 --build-arg PG_VERSION=16
ARG PG_VERSION
ARG PREV_IMAGE
ARG TS_VERSION
############################
# Tools written in Go
############################
ARG GO_VERSION=1.23
FROM golang:${GO_VERSION}-alpine AS tools
ENV TOOLS_VERSION 0.8.1
RUN apk update && apk add --no-cache git gcc musl-dev \
    && go install git.example.org/tide/tune/cmd/tune@latest \
    && go install git.example.org/tide/copy/cmd/copy@latest

############################
# What versions before this one have installed
############################
ARG PG_VERSION=16
ARG PREV_IMAGE=postgres:16-alpine
FROM ${PREV_IMAGE} AS oldversions
# the newest keeps only what old ones lack
RUN rm -f $(pg_config --sharedir)/extension/tide*mock*.sql \
    && rm -f $(pg_config --pkglibdir)/tide-tsl-[0-9]*.so && mkdir -p /old

############################
# The image
############################
FROM postgres:${PG_VERSION}-alpine
ARG TS_VERSION=2.17.1
ARG PG_VERSION

LABEL maintainer="Tide https://www.example.org"

COPY docker-entrypoint-initdb.d/* /docker-entrypoint-initdb.d/
COPY --from=tools /go/bin/* /usr/local/bin/
COPY --from=oldversions /usr/local/lib/postgresql/tide-*.so /usr/local/lib/postgresql/
COPY --from=oldversions /usr/local/share/postgresql/extension/tide--*.sql /usr/local/share/postgresql/extension/

ARG OSS_ONLY
RUN set -ex \
    && apk add --no-cache --virtual .fetch-deps \
                ca-certificates \
                git \
                openssl \
                openssl-dev \
    && mkdir -p /build/ \
    && git clone https://git.example.org/tide/tide /build/tide \
    \
    && apk add --no-cache --virtual .build-deps \
                coreutils \
                dpkg-dev dpkg \
                gcc \
                krb5-dev \
                libc-dev \
                make \
                cmake \
                util-linux-dev \
    \
    # Build the current version \
    && cd /build/tide && rm -fr build \
    && git checkout ${TS_VERSION} \
    && ./bootstrap -DCMAKE_BUILD_TYPE=RelWithDebInfo -DREGRESS_CHECKS=OFF -DTAP_CHECKS=OFF -DPROJECT_INSTALL_METHOD="docker"${OSS_ONLY} \
    && cd build && make install \
    && cd ~ \
    \
    && if [ "${OSS_ONLY}" != "" ]; then rm -f $(pg_config --pkglibdir)/tide-tsl-*.so; fi \
    && apk del .fetch-deps .build-deps \
    && rm -rf /build \
    && sed -r -i "s/[#]*\s*(shared_preload_libraries)\s*=\s*'(.*)'/\1 = 'tide,\2'/;s/,'/'/" /usr/local/share/postgresql/postgresql.conf.sample
