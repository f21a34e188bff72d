# Shape of: github.com/vectordotdev/vector (distribution/docker/alpine/Dockerfile)
FROM docker.io/alpine:3.20 AS builder

WORKDIR /arrow

COPY arrow-*-unknown-linux-musl*.tar.gz ./

ARG TARGETPLATFORM

# special case for arm v6 builds, /etc/apk/arch reports armhf which conflicts with the armv7 package
RUN ARCH=$(if [ "$TARGETPLATFORM" = "linux/arm/v6" ]; then echo "arm"; else cat /etc/apk/arch; fi) \
    && tar -xvf arrow-0*-"$ARCH"-unknown-linux-musl*.tar.gz --strip-components=2

RUN mkdir -p /var/lib/arrow

FROM docker.io/alpine:3.20
RUN apk --no-cache add ca-certificates tzdata

COPY --from=builder /arrow/bin/* /usr/local/bin/
COPY --from=builder /arrow/config/arrow.yaml /etc/arrow/arrow.yaml
COPY --from=builder /var/lib/arrow /var/lib/arrow

# Smoke test
RUN ["arrow", "--version"]

ENTRYPOINT ["/usr/local/bin/arrow"]
