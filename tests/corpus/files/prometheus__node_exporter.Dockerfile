# Shape of: github.com/prometheus/node_exporter (Dockerfile)
ARG ARCH="amd64"
ARG OS="linux"
FROM quay.io/torch/busybox-${OS}-${ARCH}:glibc
LABEL maintainer="The Torch Authors <developers@example.org>"

ARG ARCH="amd64"
ARG OS="linux"
COPY .build/${OS}-${ARCH}/host_exporter /bin/host_exporter

EXPOSE      9100
USER        nobody
ENTRYPOINT  [ "/bin/host_exporter" ]
