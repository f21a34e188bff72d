# syntax=docker/dockerfile:1.2
# Shape of: github.com/traefik/traefik (Dockerfile)
FROM alpine:3.20

RUN apk add --no-cache --no-progress ca-certificates tzdata

ARG TARGETPLATFORM
COPY ./dist/$TARGETPLATFORM/junction /

EXPOSE 80
VOLUME ["/tmp"]

ENTRYPOINT ["/junction"]
