# Shape of: github.com/kubernetes/ingress-nginx (rootfs/Dockerfile)
# Licensed as the project is; see LICENSE.

ARG BASE_IMAGE=registry.example.org/ingress/engine:v1

FROM ${BASE_IMAGE}

ARG TARGETARCH
ARG VERSION
ARG COMMIT_SHA
ARG BUILD_ID=UNSET

LABEL org.opencontainers.image.title="Gateway controller"
LABEL org.opencontainers.image.documentation="https://gateway.example.org/"
LABEL org.opencontainers.image.source="https://git.example.org/gateway"
LABEL org.opencontainers.image.vendor="The Gateway Authors"
LABEL org.opencontainers.image.licenses="Apache-2.0"
LABEL org.opencontainers.image.version="${VERSION}"
LABEL org.opencontainers.image.revision="${COMMIT_SHA}"

LABEL build_id="${BUILD_ID}"

WORKDIR  /etc/engine

RUN apk update \
  && apk upgrade \
  && apk add --no-cache \
    diffutils \
  && rm -rf /var/cache/apk/*

COPY --chown=www-data:www-data etc /etc

COPY --chown=www-data:www-data bin/${TARGETARCH}/dbg /
COPY --chown=www-data:www-data bin/${TARGETARCH}/gateway-controller /
COPY --chown=www-data:www-data bin/${TARGETARCH}/wait-shutdown /

# Owners are set here: a start
# can't, on volumes
RUN bash -xeu -c ' \
  writeDirs=( \
    /etc/gateway-controller \
    /etc/gateway-controller/ssl \
    /etc/gateway-controller/auth \
    /var/log \
    /var/log/engine \
    /tmp/engine \
  ); \
  for dir in "${writeDirs[@]}"; do \
    mkdir -p ${dir}; \
    chown -R www-data:www-data ${dir}; \
  done'

RUN apk add --no-cache libcap \
  && setcap    cap_net_bind_service=+ep /gateway-controller \
  && setcap -v cap_net_bind_service=+ep /gateway-controller \
  && setcap    cap_net_bind_service=+ep /usr/bin/dumb-init \
  && apk del libcap

USER www-data

# logs are for the container's reader
RUN  ln -sf /dev/stdout /var/log/engine/access.log \
  && ln -sf /dev/stderr /var/log/engine/error.log

ENTRYPOINT ["/usr/bin/dumb-init", "--"]

CMD ["/gateway-controller"]
