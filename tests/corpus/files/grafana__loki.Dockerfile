# Shape of: github.com/grafana/loki (cmd/loki/Dockerfile)
ARG GO_VERSION=1.23
FROM golang:${GO_VERSION} AS build
ARG IMAGE_TAG
COPY . /src/trickster
WORKDIR /src/trickster
RUN make clean && make BUILD_IN_CONTAINER=false IMAGE_TAG=${IMAGE_TAG} trickster

FROM gcr.io/distroless/static:debug

COPY --from=build /src/trickster/cmd/trickster/trickster /usr/bin/trickster
COPY cmd/trickster/local-config.yaml /etc/trickster/local-config.yaml

# a directory with an owner, without a shell's help
SHELL [ "/busybox/sh", "-c" ]

RUN addgroup -g 10001 -S trickster && \
    adduser -u 10001 -S trickster -G trickster
RUN mkdir -p /trickster/rules && \
    chown -R trickster:trickster /etc/trickster /trickster

# names are looked up in files first
RUN [ ! -e /etc/nsswitch.conf ] && echo 'hosts: files dns' > /etc/nsswitch.conf

RUN ln -s /busybox/sh /bin/sh

USER 10001
EXPOSE 3100
ENTRYPOINT [ "/usr/bin/trickster" ]
CMD ["-config.file=/etc/trickster/local-config.yaml"]
