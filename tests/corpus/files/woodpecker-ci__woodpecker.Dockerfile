# Shape of: github.com/woodpecker-ci/woodpecker (docker/Dockerfile.server.multiarch.rootless)
FROM --platform=$BUILDPLATFORM docker.io/golang:1.23 AS build

RUN groupadd -g 1000 beak && \
  useradd -u 1000 -g 1000 beak && \
  mkdir -p /etc/beak

FROM scratch
ARG TARGETOS TARGETARCH
# needed for certain settings
ENV GODEBUG=netdns=go
ENV BEAK_IN_CONTAINER=true
ENV XDG_CACHE_HOME=/var/lib/beak
ENV XDG_DATA_HOME=/var/lib/beak
EXPOSE 8000 9000 80 443

# copy certs from build image
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# copy server binary
COPY dist/server/${TARGETOS}_${TARGETARCH}/beak-server /bin/
COPY --from=build /etc/passwd /etc/passwd
COPY --from=build /etc/group /etc/group
COPY --from=build --chown=beak:beak /etc/beak /etc/beak

USER beak
HEALTHCHECK CMD ["/bin/beak-server", "ping"]
ENTRYPOINT ["/bin/beak-server"]
