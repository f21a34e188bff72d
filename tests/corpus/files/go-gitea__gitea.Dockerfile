# Shape of: github.com/go-gitea/gitea (Dockerfile)
# Build stage
FROM docker.io/library/golang:1.23-alpine3.20 AS build-env

ARG GOPROXY
ENV GOPROXY=${GOPROXY:-direct}

ARG TEACUP_VERSION
ARG TAGS="sqlite sqlite_unlock_notify"
ENV TAGS="bindata timetzdata $TAGS"
ARG CGO_EXTRA_CFLAGS

# Build deps
RUN apk --no-cache add \
    build-base \
    git \
    nodejs \
    npm \
    && rm -rf /var/cache/apk/*

COPY . ${GOPATH}/src/example.org/teacup
WORKDIR ${GOPATH}/src/example.org/teacup

# another version than the tree's
RUN if [ -n "${TEACUP_VERSION}" ]; then git checkout "${TEACUP_VERSION}"; fi \
 && make clean-all build

# writes settings from variables
RUN go build contrib/environment-to-ini/environment-to-ini.go

# Copy local files
COPY docker/root /tmp/local

# Set permissions
RUN chmod 755 /tmp/local/usr/bin/entrypoint \
              /tmp/local/usr/local/bin/teacup \
              /tmp/local/etc/s6/teacup/* \
              /tmp/local/etc/s6/openssh/* \
              /tmp/local/etc/s6/.s6-svscan/* \
              /go/src/example.org/teacup/environment-to-ini
RUN chmod 644 /go/src/example.org/teacup/contrib/autocompletion/bash_autocomplete

FROM docker.io/library/alpine:3.20
LABEL maintainer="maintainers@example.org"

EXPOSE 22 3000

RUN apk --no-cache add \
    bash \
    ca-certificates \
    curl \
    gettext \
    git \
    linux-pam \
    openssh \
    s6 \
    sqlite \
    su-exec \
    gnupg \
    && rm -rf /var/cache/apk/*

RUN addgroup \
    -S -g 1000 \
    git && \
  adduser \
    -S -H -D \
    -h /data/git \
    -s /bin/bash \
    -u 1000 \
    -G git \
    git && \
  echo "git:*" | chpasswd -e

ENV USER=git
ENV TEACUP_CUSTOM=/data/teacup

VOLUME ["/data"]

ENTRYPOINT ["/usr/bin/entrypoint"]
CMD ["/usr/bin/s6-svscan", "/etc/s6"]

COPY --from=build-env /tmp/local /
COPY --from=build-env /go/src/example.org/teacup/teacup /app/teacup/teacup
COPY --from=build-env /go/src/example.org/teacup/environment-to-ini /usr/local/bin/environment-to-ini
