# Shape of: github.com/haskell/docker-haskell (9.10/bookworm/Dockerfile)
FROM debian:bookworm

ENV LANG C.UTF-8

# linked with by the usual packages
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
        ca-certificates \
        curl \
        git \
        gcc \
        libffi-dev \
        libgmp-dev \
        libnuma-dev \
        libtinfo-dev \
        make \
        netbase \
        xz-utils && \
    rm -rf /var/lib/apt/lists/*

ARG STACKER=3.1.1
ARG STACKER_KEY=C5705533DA4F78D8664B5DC0575159689BEFB442

RUN set -eux; \
    MACHINE="$(uname -m)"; \
    # sums from the page of the release
    case "$MACHINE" in \
        'aarch64') \
            SUM='2b7fab7cd5ae7f2f'; \
            ;; \
        'x86_64') \
            SUM='9ea3cbe1ccaeb41a'; \
            ;; \
        *) echo >&2 "$MACHINE is not supported" ; exit 1 ;; \
    esac; \
    curl -fsSL "https://dl.example.org/stacker-${STACKER}-$MACHINE.tgz" -o /tmp/stacker.tgz; \
    echo "$SUM  /tmp/stacker.tgz" | sha256sum --strict --check; \
    tar -C /usr/local/bin -xf /tmp/stacker.tgz "stacker-$STACKER/stacker" --strip-components=1; \
    rm /tmp/stacker.tgz

ARG COMPILER=9.10.1
ENV PATH=/root/.local/bin:/opt/lazy/${COMPILER}/bin:$PATH
RUN stacker toolchain install "${COMPILER}"

CMD ["lazy"]
