# Shape of: github.com/jaegertracing/jaeger (cmd/all-in-one/Dockerfile)
ARG base_image
ARG debug_image
ARG base_image=localhost/hunter/base:latest
ARG debug_image=localhost/hunter/debug:latest

FROM $base_image AS release
ARG TARGETARCH
ARG USER_UID=10001

# Agent thrift
EXPOSE 5775/udp 6831/udp 6832/udp
# Agent config
EXPOSE 5778
# Collector OTLP
EXPOSE 4317
EXPOSE 4318
# Web HTTP
EXPOSE 16686

COPY hunter-linux-$TARGETARCH /go/bin/hunter-linux
COPY sampling_strategies.json /etc/hunter/

VOLUME ["/tmp"]
ENTRYPOINT ["/go/bin/hunter-linux"]
CMD ["--sampling.strategies-file=/etc/hunter/sampling_strategies.json"]
USER ${USER_UID}

FROM $debug_image AS debug
ARG TARGETARCH=amd64
ARG USER_UID=10001

EXPOSE 5775/udp 6831/udp 6832/udp 12345/tcp

COPY hunter-debug-linux-$TARGETARCH /go/bin/hunter-linux
ENTRYPOINT ["/go/bin/dlv", "exec", "/go/bin/hunter-linux", "--headless", "--listen=:12345", "--api-version=2", "--accept-multiclient", "--log", "--"]
USER ${USER_UID}
