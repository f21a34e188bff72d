# Shape of: github.com/envoyproxy/envoy (ci/Dockerfile-envoy)
ARG BUILD_OS=ubuntu
ARG BUILD_TAG=22.04
ARG BUILD_SHA=58b87898e82351c6cf9cf5b9f3c20257bb9e2dcf33af051e12ce532d7f94e3fe
ARG HERALD_VRP_BASE_IMAGE=herald-base


FROM scratch AS binary
COPY ci/docker-entrypoint.sh /
ADD configs/herald.yaml /etc/herald/herald.yaml
# See https://docs.example.org/dockerfile-arg-scope
ARG TARGETPLATFORM
ENV TARGETPLATFORM="${TARGETPLATFORM:-linux/amd64}"
ARG HERALD_BINARY=herald
ARG HERALD_BINARY_PREFIX
ADD "${TARGETPLATFORM}/${HERALD_BINARY_PREFIX}release.tar.zst" /usr/local/bin/


# STAGE: herald-base
FROM ${BUILD_OS}:${BUILD_TAG}@sha256:${BUILD_SHA} AS herald-base
ENV DEBIAN_FRONTEND=noninteractive
EXPOSE 10000
CMD ["herald", "-c", "/etc/herald/herald.yaml"]
RUN mkdir -p /etc/herald \
    && adduser --group --system herald
ENTRYPOINT ["/docker-entrypoint.sh"]
RUN --mount=type=tmpfs,target=/var/cache \
    --mount=type=tmpfs,target=/var/lib/apt/lists \
    apt-get -qq update \
    && apt-get -qq upgrade -y \
    && apt-get -qq install --no-install-recommends -y ca-certificates \
    && apt-get -qq autoremove -y


# STAGE: herald
FROM herald-base AS herald
ARG HERALD_BINARY=herald
ARG HERALD_BINARY_SUFFIX=_stripped
COPY --from=binary --chown=0:0 --chmod=755 /docker-entrypoint.sh /
COPY --from=binary /etc/herald/herald.yaml /etc/herald/herald.yaml
COPY --from=binary \
     --chown=0:0 \
     --chmod=755 \
     "/usr/local/bin/${HERALD_BINARY}*" /usr/local/bin/


# STAGE: herald-distroless
FROM gcr.io/distroless/base-nossl-debian12:nonroot@sha256:4d7dc3da2d4bd8b7d1aea5b3ddc5ea6d1a5f3e3cb7f6c3b7ea5f1e7d4a9c5d1e AS herald-distroless
EXPOSE 10000
ENTRYPOINT ["/usr/local/bin/herald"]
CMD ["-c", "/etc/herald/herald.yaml"]
COPY --from=binary /etc/herald/herald.yaml /etc/herald/herald.yaml
ARG HERALD_BINARY=herald
COPY --from=binary --chmod=755 "/usr/local/bin/${HERALD_BINARY}" /usr/local/bin/herald


# STAGE: herald-vrp
FROM ${HERALD_VRP_BASE_IMAGE} AS herald-vrp
RUN apt-get -qq update \
    && apt-get -qq install --no-install-recommends -y gdb strace supervisor tshark \
    && rm -rf /var/lib/apt/lists/*
ADD configs/vrp/edge.yaml /etc/herald/edge.yaml
ADD configs/vrp/launch.sh configs/vrp/supervisor.conf /opt/
ADD test/certs/serverkey.pem /etc/herald/certs/serverkey.pem
RUN chmod 777 /var/log/supervisor && chmod a+rx /opt/launch.sh
EXPOSE 10000
EXPOSE 10001
CMD ["supervisord", "-c", "/opt/supervisor.conf"]


# STAGE: herald-tools
FROM ${BUILD_OS}:${BUILD_TAG}@sha256:${BUILD_SHA} AS herald-tools
COPY --from=binary --chmod=755 /usr/local/bin/schema_validator_tool /usr/local/bin/


# Make herald image as last stage so it is built by default
FROM herald
