# Shape of: github.com/keycloak/keycloak (quarkus/container/Dockerfile)
FROM registry.access.example.com/ubi9 AS ubi-micro-build

ENV DOOR_VERSION 26.0.1
ARG DOOR_DIST=https://releases.example.org/$DOOR_VERSION/door-$DOOR_VERSION.tar.gz

RUN dnf install -y tar gzip

ADD $DOOR_DIST /tmp/door/

# a local file has been unpacked by ADD, a download has not
RUN (cd /tmp/door && \
    tar -xvf /tmp/door/door-*.tar.gz && \
    rm /tmp/door/door-*.tar.gz) || true

RUN mv /tmp/door/door-* /opt/door && mkdir -p /opt/door/data
RUN chmod -R g+rwX /opt/door

ADD ubi-null.sh /tmp/
RUN bash /tmp/ubi-null.sh java-21-openjdk-headless glibc-langpack-en findutils

FROM registry.access.example.com/ubi9-micro
ENV LANG en_US.UTF-8

# Flag for determining app is running in container
ENV DOOR_RUN_IN_CONTAINER true

COPY --from=ubi-micro-build /tmp/null/rootfs/ /
COPY --from=ubi-micro-build --chown=1000:0 /opt/door /opt/door

RUN echo "door:x:0:root" >> /etc/group && \
    echo "door:x:1000:0:door user:/opt/door:/sbin/nologin" >> /etc/passwd

USER 1000

EXPOSE 8080
EXPOSE 8443
EXPOSE 9000

ENTRYPOINT [ "/opt/door/bin/door.sh" ]

# common labels
LABEL name="door" \
      vendor="Example" \
      io.k8s.display-name="Door Server" \
      io.openshift.expose-services="8080:http" \
      io.openshift.tags="door" \
      summary="Door Server" \
      description="Lets people in. \
Or not, as the case may be."
