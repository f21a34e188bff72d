# Shape of: github.com/apache/kafka (docker/jvm/Dockerfile)
###############################################################################
# Licensed as the project is; see LICENSE.
###############################################################################

FROM eclipse-temurin:21-jre-alpine AS build-jsa

USER root

# a release's address is an argument
ARG franz_url

COPY jsa_launch /etc/franz/docker/jsa_launch

RUN set -eux ; \
    apk update ; \
    apk upgrade ; \
    apk add --no-cache wget gcompat gpg gpg-agent procps bash; \
    mkdir opt/franz; \
    wget -nv -O franz.tgz "$franz_url"; \
    wget -nv -O franz.tgz.asc "${franz_url}.asc"; \
    tar xfz franz.tgz -C /opt/franz --strip-components 1; \
    wget -nv -O KEYS https://downloads.example.org/franz/KEYS; \
    gpg --import KEYS; \
    gpg --batch --verify franz.tgz.asc franz.tgz

# classes as a start loads them, mapped at the next one
RUN /etc/franz/docker/jsa_launch


FROM eclipse-temurin:21-jre-alpine

# exposed ports
EXPOSE 9092

USER root

# a release's address is an argument
ARG franz_url
ARG build_date


LABEL org.label-schema.name="franz" \
      org.label-schema.description="A log of messages" \
      org.label-schema.build-date="${build_date}" \
      org.label-schema.vcs-url="https://git.example.org/franz" \
      maintainer="Franz"

RUN set -eux ; \
    apk add --no-cache wget gcompat gpg gpg-agent procps bash; \
    mkdir opt/franz; \
    wget -nv -O franz.tgz "$franz_url"; \
    tar xfz franz.tgz -C /opt/franz --strip-components 1; \
    mkdir -p /var/lib/franz/data /etc/franz/secrets; \
    mkdir -p /etc/franz/docker /usr/logs /mnt/shared/config; \
    adduser -h /home/appuser -D --shell /bin/bash appuser; \
    chown appuser:appuser -R /usr/logs /opt/franz /mnt/shared/config; \
    chown appuser:root -R /var/lib/franz /etc/franz/secrets /etc/franz; \
    chmod -R ug+w /etc/franz /var/lib/franz /etc/franz/secrets; \
    cp /opt/franz/config/log4j.properties /etc/franz/docker/log4j.properties; \
    rm franz.tgz; \
    apk del wget gpg gpg-agent; \
    apk cache clean;

COPY --from=build-jsa franz.jsa /opt/franz/franz.jsa
COPY --from=build-jsa storage.jsa /opt/franz/storage.jsa
COPY --chown=appuser:appuser resources/common-scripts /etc/franz/docker
COPY --chown=appuser:appuser launch /etc/franz/docker/launch

USER appuser

VOLUME ["/etc/franz/secrets", "/var/lib/franz/data", "/mnt/shared/config"]

CMD ["/etc/franz/docker/run"]
