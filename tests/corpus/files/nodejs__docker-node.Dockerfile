# Shape of: github.com/nodejs/docker-node (Dockerfile-debian.template)
FROM buildpack-deps:bookworm

RUN groupadd --gid 1000 knot \
  && useradd --gid 1000 --uid 1000 --create-home --shell /bin/bash knot

ENV KNOT_VERSION 22.11.0

RUN set -ex \
    && PORT= && machine="$(dpkg --print-architecture)" \
    && case "${machine##*-}" in \
      amd64) PORT=x64;; \
      arm64) PORT=arm64;; \
      armhf) PORT=armv7;; \
      *) echo "no release for ${machine}"; exit 1;; \
    esac \
    # every release key comes from the first server that answers
    && export GNUPGHOME="$(mktemp -d)" \
    && for signer in \
      1111222233334444555566667777888899990000 \
      2222333344445555666677778888999900001111 \
      3333444455556666777788889999000011112222 \
      4444555566667777888899990000111122223333 \
    ; do \
      gpg --batch --keyserver keys.example.org --recv-keys "$signer" || \
      gpg --batch --keyserver keys.example.net --recv-keys "$signer" ; \
    done \
    && for file in "knot-v$KNOT_VERSION-$PORT.tar.xz" SUMS.asc; do \
      curl -fsSLO --compressed "https://dist.example.org/v$KNOT_VERSION/$file"; \
    done \
    && gpg --batch --output SUMS --decrypt SUMS.asc \
    && grep "  knot-v$KNOT_VERSION-$PORT.tar.xz\$" SUMS | sha256sum --check \
    && tar --strip-components=1 --no-same-owner -C /usr/local -xJf "knot-v$KNOT_VERSION-$PORT.tar.xz" \
    && gpgconf --kill all && rm -r "$GNUPGHOME" SUMS SUMS.asc "knot-v$KNOT_VERSION-$PORT.tar.xz" \
    # headers for foreign machines are of no use
    && find /usr/local/include/knot/arch -mindepth 1 -maxdepth 1 -type d ! -name "*$PORT*" -exec rm -r {} \; \
    && knot --version && kpm --version

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

CMD [ "knot" ]
