# Shape of: github.com/nats-io/nats-docker (2.10.x/scratch/Dockerfile)
FROM scratch
ENV PATH="$PATH:/"
COPY --from=nats:2.10.22-alpine3.20 /usr/local/bin/nats-server /nats-server
COPY nats-server.conf /nats-server.conf

EXPOSE 4222 8222 6222
ENTRYPOINT ["/nats-server"]
CMD ["--config", "nats-server.conf"]
