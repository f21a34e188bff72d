# Shape of: github.com/hashicorp/vault (Dockerfile)
# SPDX-License-Identifier: BUSL-1.1

## DOCKERHUB DOCKERFILE ##
FROM alpine:3 AS default

ARG BIN_NAME
# the name of the software and the version that is in dist/
ARG NAME=strongbox
ARG PRODUCT_VERSION
ARG PRODUCT_REVISION
# given along with --platform
ARG TARGETOS TARGETARCH

# Read by registries and by those
# who certify.
LABEL name="Strongbox" \
      maintainer="Strongbox Team <strongbox@example.org>" \
      vendor="Example" \
      version=${PRODUCT_VERSION} \
      release=${PRODUCT_REVISION} \
      revision=${PRODUCT_REVISION} \
      summary="Keeps secrets." \
      description="Keeps secrets, leases them and takes them back."

COPY LICENSE /usr/share/doc/$NAME/LICENSE.txt

# for ENTRYPOINT and CMD
ENV NAME=$NAME

# not root
RUN addgroup ${NAME} && adduser -S -G ${NAME} ${NAME}

RUN apk add --no-cache dumb-init libcap su-exec tzdata

COPY dist/$TARGETOS/$TARGETARCH/$BIN_NAME /bin/

# Audit logs, files of the backend, configuration
RUN mkdir -p /strongbox/logs && \
    mkdir -p /strongbox/file && \
    mkdir -p /strongbox/config && \
    chown -R ${NAME}:${NAME} /strongbox

VOLUME /strongbox/logs
VOLUME /strongbox/file

# requests
EXPOSE 8200

# The init reaps what plugins leave behind.
#
# Memory can only be locked with a capability, IPC_LOCK.
COPY .release/docker/docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]


# # A server for a look around, everything in memory.
CMD ["server", "-dev"]

## UBI DOCKERFILE ##
FROM registry.access.example.com/ubi8/ubi-minimal AS ubi

ARG BIN_NAME
ARG NAME=strongbox
ARG PRODUCT_VERSION
ARG PRODUCT_REVISION
ARG TARGETOS TARGETARCH

LABEL name="Strongbox" version=${PRODUCT_VERSION} release=${PRODUCT_REVISION}

ENV NAME=$NAME VERSION=$PRODUCT_VERSION

RUN set -eux; \
    microdnf install -y ca-certificates gnupg openssl libcap tzdata procps shadow-utils util-linux tar

RUN groupadd --gid 1000 $NAME && \
    adduser --uid 100 --system -g $NAME $NAME && \
    usermod -a -G root $NAME

COPY dist/$TARGETOS/$TARGETARCH/$BIN_NAME /bin/

ENV HOME /home/$NAME
RUN mkdir -p /strongbox/logs /strongbox/file /strongbox/config $HOME && \
    chown -R $NAME /strongbox $HOME && chgrp -R 0 $HOME && chmod -R g+rwX $HOME

VOLUME /strongbox/logs
VOLUME /strongbox/file
EXPOSE 8200
COPY .release/docker/ubi-docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
USER ${NAME}
CMD ["server", "-dev", "-dev-no-store-token"]

FROM ubi AS ubi-fips

FROM ubi AS ubi-hsm
