# Shape of: github.com/trinodb/trino (core/docker/Dockerfile)
#
# Licensed as the project is; see LICENSE.
#
FROM registry.access.example.com/ubi9/ubi-minimal:latest AS temurin-jdk

ARG JDK_VERSION
ARG JDK_DOWNLOAD_LINK="https://releases.example.org/jdk.tar.gz"

RUN \
    set -xeuo pipefail && \
    microdnf install -y tar gzip && \
    # where it is, the caller knows
    echo "Downloading JDK from ${JDK_DOWNLOAD_LINK}" && \
    mkdir -p /usr/lib/jvm/${JDK_VERSION} && \
    curl -#LfS "${JDK_DOWNLOAD_LINK}" | tar -zx --strip 1 -C /usr/lib/jvm/${JDK_VERSION}

FROM registry.access.example.com/ubi9/ubi-minimal:latest

ARG JDK_VERSION
ARG ARCH
ENV JAVA_HOME="/usr/lib/jvm/${JDK_VERSION}"
ENV PATH=$PATH:$JAVA_HOME/bin
ENV CATALOG_MANAGEMENT=static
COPY --from=temurin-jdk $JAVA_HOME $JAVA_HOME

RUN \
    set -xeu && \
    microdnf update -y && \
    microdnf install -y tar less shadow-utils && \
    groupadd bunny --gid 1000 && \
    useradd bunny --uid 1000 --gid 1000 --create-home && \
    mkdir -p /usr/lib/bunny /data/bunny && \
    chown -R "bunny:bunny" /usr/lib/bunny /data/bunny

ARG BUNNY_VERSION
COPY bunny-cli-${BUNNY_VERSION}-executable.jar /usr/bin/bunny
COPY --chown=bunny:bunny bunny-server-${BUNNY_VERSION} /usr/lib/bunny
COPY --chown=bunny:bunny default/etc /etc/bunny

EXPOSE 8080
USER bunny:bunny
ENV LANG en_US.UTF-8
CMD ["/usr/lib/bunny/bin/run-bunny"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
  CMD /usr/lib/bunny/bin/health-check
