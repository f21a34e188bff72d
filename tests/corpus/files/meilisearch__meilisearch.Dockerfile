# Shape of: github.com/meilisearch/meilisearch (Dockerfile)
# Compile
FROM    rust:1.81-alpine3.20 AS compiler

RUN     apk add -q --no-cache build-base openssl-dev

WORKDIR /

ARG     COMMIT_SHA
ARG     COMMIT_DATE
ARG     GIT_TAG
ENV     VERGEN_GIT_SHA=${COMMIT_SHA} VERGEN_GIT_COMMIT_TIMESTAMP=${COMMIT_DATE} VERGEN_GIT_DESCRIBE=${GIT_TAG}
ENV     RUSTFLAGS="-C target-feature=-crt-static"

COPY    . .
RUN     set -eux; \
        apkArch="$(apk --print-arch)"; \
        if [ "$apkArch" = "aarch64" ]; then \
            export JEMALLOC_SYS_WITH_LG_PAGE=16; \
        fi && \
        cargo build --release -p lookup -p lookuptool

# Run
FROM    alpine:3.20
LABEL   org.opencontainers.image.source="https://git.example.org/lookup"

ENV     LOOKUP_HTTP_ADDR 0.0.0.0:7700
ENV     LOOKUP_SERVER_PROVIDER docker

RUN     apk add -q --no-cache libgcc tini curl

# The directory of the program must not be the one of its data
COPY    --from=compiler /target/release/lookup /bin/lookup
COPY    --from=compiler /target/release/lookuptool /bin/lookuptool
RUN     ln -s /bin/lookup /lookup

# A volume mounted over a directory takes its owner
RUN     mkdir -p /lookup_data && chmod 777 /lookup_data
WORKDIR /lookup_data

EXPOSE  7700/tcp

ENTRYPOINT ["tini", "--"]
CMD     /bin/lookup
