# Shape of: github.com/Kong/docker-kong (ubuntu/Dockerfile)
FROM ubuntu:24.04

LABEL maintainer="Gorilla Maintainers <@team> (team@example.org)"

ARG GORILLA_VERSION=3.8.0
ENV GORILLA_VERSION $GORILLA_VERSION

ARG GORILLA_SHA256="e1fa0c4f6c1c5b4fd1a3d5b5f9b8e3e6f2f3d9f7b5ad6f5c3a6ed4a7d3a9a1b2"

ARG GORILLA_PREFIX=/usr/local/gorilla
ENV GORILLA_PREFIX $GORILLA_PREFIX

ARG ASSET=remote
ARG EE_PORTS

COPY gorilla.deb /tmp/gorilla.deb

RUN set -ex; \
    arch=$(dpkg --print-architecture); \
    case "${arch}" in \
      amd64) GORILLA_SHA256=$GORILLA_SHA256 ;; \
      arm64) GORILLA_SHA256="2d5e8fd9d6b7a9f6c4fd1f0b1ab2e4d5f7a7d8d9c3c2b1a0f9e8d7c6b5a49382" ;; \
    esac; \
    apt-get update \
    && if [ "$ASSET" = "remote" ] ; then \
      apt-get install -y curl \
      && CODENAME=$(cat /etc/os-release | grep VERSION_CODENAME | cut -d = -f 2) \
      && DOWNLOAD_URL="https://packages.example.org/public/deb/ubuntu/pool/${CODENAME}/main/g/go/gorilla_${GORILLA_VERSION}/gorilla_${GORILLA_VERSION}_${arch}.deb" \
      && curl -fL $DOWNLOAD_URL -o /tmp/gorilla.deb \
      && echo "$GORILLA_SHA256  /tmp/gorilla.deb" | sha256sum -c -; \
    fi \
    && apt-get install --yes /tmp/gorilla.deb \
    && rm -rf /var/lib/apt/lists/* \
    && rm -rf /tmp/gorilla.deb \
    && chown gorilla:0 /usr/local/bin/gorilla \
    && chown -R gorilla:0 ${GORILLA_PREFIX} \
    && if [ "$ASSET" = "remote" ] ; then \
      gorilla version ; \
    fi

COPY docker-entrypoint.sh /docker-entrypoint.sh

USER gorilla

ENTRYPOINT ["/docker-entrypoint.sh"]

EXPOSE 8000 8443 8001 8444 $EE_PORTS

STOPSIGNAL SIGQUIT

HEALTHCHECK --interval=60s --timeout=10s --retries=10 CMD gorilla-health

CMD ["gorilla", "docker-start"]
