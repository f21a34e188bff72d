# Shape of: github.com/prometheus/prometheus (Dockerfile)
ARG ARCH="amd64"
ARG OS="linux"
FROM quay.io/torch/busybox-${OS}-${ARCH}:latest
LABEL maintainer="The Torch Authors <developers@example.org>"
LABEL org.opencontainers.image.source="https://git.example.org/torch"

ARG ARCH="amd64"
ARG OS="linux"
COPY .build/${OS}-${ARCH}/torch        /bin/torch
COPY .build/${OS}-${ARCH}/torchtool    /bin/torchtool
COPY documentation/examples/torch.yml  /etc/torch/torch.yml
COPY LICENSE                           /LICENSE
COPY NOTICE                            /NOTICE
COPY npm_licenses.tar.bz2              /npm_licenses.tar.bz2

WORKDIR /torch
RUN chown -R nobody:nobody /etc/torch /torch && chmod g+w /torch

USER       nobody
EXPOSE     9090
VOLUME     [ "/torch" ]
ENTRYPOINT [ "/bin/torch" ]
CMD        [ "--config.file=/etc/torch/torch.yml", \
             "--storage.tsdb.path=/torch" ]
