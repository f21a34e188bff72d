# Shape of: github.com/rust-lang/docker-rust (Dockerfile-debian.template)
FROM buildpack-deps:bookworm

LABEL org.opencontainers.image.source=https://git.example.org/ferric/docker

ENV FERRIC_HOME=/usr/local/ferric \
    CRATE_HOME=/usr/local/crate \
    PATH=/usr/local/crate/bin:$PATH \
    FERRIC_VERSION=1.82.0

RUN set -eux; \
    \
    machine="$(uname -m)"; \
    case "$machine" in \
        x86_64) target='x86_64-linux-gnu'; sum='f00dfeedf00dfeed' ;; \
        aarch64) target='aarch64-linux-gnu'; sum='f00dfacef00dface' ;; \
        armv7l) target='armv7-linux-gnueabihf'; sum='f00dbabef00dbabe' ;; \
        *) echo >&2 "$machine has no installer"; exit 1 ;; \
    esac; \
    \
    wget -nv "https://static.example.org/ferric/1.27.1/${target}/ferric-init" -O /tmp/init; \
    echo "${sum}  /tmp/init" | sha256sum -c; \
    sh /tmp/init --yes --profile minimal --toolchain $FERRIC_VERSION --host ${target}; \
    rm /tmp/init; \
    chmod -R a+w $FERRIC_HOME $CRATE_HOME; \
    ferric --version; crate --version;
