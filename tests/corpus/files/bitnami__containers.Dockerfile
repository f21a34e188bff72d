# Shape of: github.com/bitnami/containers (bitnami/nginx/1.27/debian-12/Dockerfile)
# Copyright: see LICENSE.
# SPDX-License-Identifier: APACHE-2.0

FROM docker.io/rootless/minideb:bookworm

ARG DOWNLOADS_URL="downloads.example.com/files/stacksmith"
ARG TARGETARCH

LABEL com.example.package.source="app" \
      org.opencontainers.image.base.name="docker.io/rootless/minideb:bookworm" \
      org.opencontainers.image.created="2024-10-26T11:39:35Z" \
      org.opencontainers.image.description="Application packaged by someone" \
      org.opencontainers.image.documentation="https://git.example.org/containers/README.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.ref.name="1.27.2-debian-12-r5" \
      org.opencontainers.image.title="engine" \
      org.opencontainers.image.vendor="Someone" \
      org.opencontainers.image.version="1.27.2"

ENV HOME="/" \
    OS_ARCH="${TARGETARCH:-amd64}" \
    OS_FLAVOUR="debian-12" \
    OS_NAME="linux"

COPY prebuildfs /
SHELL ["/bin/bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]
RUN install_packages ca-certificates curl libcrypt1 libgeoip1 libpcre3 libssl3 procps zlib1g
RUN --mount=type=secret,id=downloads_url,env=SECRET_DOWNLOADS_URL \
    DOWNLOADS_URL=${SECRET_DOWNLOADS_URL:-${DOWNLOADS_URL}} ; \
    mkdir -p /tmp/bitnami/pkg/cache/ ; cd /tmp/bitnami/pkg/cache/ || exit 1 ; \
    COMPONENTS=( \
      "render-template-1.0.7-11-linux-${OS_ARCH}-debian-12" \
      "engine-1.27.2-2-linux-${OS_ARCH}-debian-12" \
    ) ; \
    for COMPONENT in "${COMPONENTS[@]}"; do \
      if [ ! -f "${COMPONENT}.tar.gz" ]; then \
        curl -SsLf "https://${DOWNLOADS_URL}/${COMPONENT}.tar.gz" -O ; \
        curl -SsLf "https://${DOWNLOADS_URL}/${COMPONENT}.tar.gz.sha256" -O ; \
      fi ; \
      sha256sum -c "${COMPONENT}.tar.gz.sha256" ; \
      tar -zxf "${COMPONENT}.tar.gz" -C /opt/some --strip-components=2 --no-same-owner ; \
      rm -rf "${COMPONENT}".tar.gz{,.sha256} ; \
    done
RUN apt-get autoremove --purge -y curl && \
    apt-get update && apt-get upgrade -y && \
    apt-get clean && rm -rf /var/lib/apt/lists /var/cache/apt/archives
RUN chmod g+rwX /opt/some
RUN find / -perm /6000 -type f -exec chmod a-s {} \; || true
RUN ln -sf /dev/stdout /opt/some/engine/logs/access.log

COPY rootfs /
RUN /opt/some/scripts/engine/postunpack.sh
ENV APP_VERSION="1.27.2" \
    ENGINE_HTTPS_PORT_NUMBER="" \
    ENGINE_HTTP_PORT_NUMBER="" \
    PATH="/opt/some/common/bin:/opt/some/engine/sbin:$PATH"

EXPOSE 8080 8443

WORKDIR /app
USER 1001
ENTRYPOINT [ "/opt/some/scripts/engine/entrypoint.sh" ]
CMD [ "/opt/some/scripts/engine/run.sh" ]
