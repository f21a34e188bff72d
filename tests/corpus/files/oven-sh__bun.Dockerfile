# Shape of: github.com/oven-sh/bun (dockerhub/alpine/Dockerfile)
FROM alpine:3.20 AS download

# a release, a tag or a channel
ARG BAP_VERSION=latest

RUN apk --no-cache add curl unzip \
    && case "$(apk --print-arch)" in \
      x86_64) port="x64-musl";; \
      aarch64) port="arm64-musl";; \
      *) exit 1 ;; \
    esac \
    && case "$BAP_VERSION" in \
      latest | nightly | bap-v*) release="$BAP_VERSION"; ;; \
      [0-9]*)                    release="bap-v$BAP_VERSION"; ;; \
      *)                         release="bap-$BAP_VERSION"; ;; \
    esac \
    && curl "https://releases.example.org/$release/bap-$port.zip" \
      -fsSLO \
      --compressed \
      --retry 5 \
      || (echo "there is no $release" && exit 1) \
    && unzip -j -d /usr/local/bin "bap-$port.zip" \
    && chmod +x /usr/local/bin/bap

FROM alpine:3.20

# a container is thrown away before a cache of compiled scripts pays
ARG BAP_CACHE=0
ENV BAP_CACHE=${BAP_CACHE}

COPY --from=download /usr/local/bin/bap /usr/local/bin/
COPY docker-entrypoint.sh /usr/local/bin/
RUN --mount=type=bind,from=download,source=/tmp,target=/tmp \
    apk add --no-cache libgcc libstdc++ \
    && adduser -D -u 1000 bap \
    && ln -s bap /usr/local/bin/bapx \
    && bapx --help

WORKDIR /home/bap/app
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
CMD ["/usr/local/bin/bap"]
