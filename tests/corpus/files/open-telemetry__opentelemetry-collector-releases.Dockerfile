# Shape of: github.com/open-telemetry/opentelemetry-collector-releases (distributions/otelcol-contrib/Dockerfile)
FROM alpine:latest AS certs
RUN apk --update add ca-certificates

FROM scratch

ARG USER_UID=10001
ARG USER_GID=10001
USER ${USER_UID}:${USER_GID}

COPY --from=certs /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=755 gatherer-contrib /gatherer-contrib
COPY config.yaml /etc/gatherer-contrib/config.yaml
ENTRYPOINT ["/gatherer-contrib"]
CMD ["--config", "/etc/gatherer-contrib/config.yaml"]
EXPOSE 4317 55678 55679
