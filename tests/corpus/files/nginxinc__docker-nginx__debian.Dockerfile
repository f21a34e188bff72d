# Shape of: github.com/nginxinc/docker-nginx (Dockerfile-debian.template)
#
# MADE BY ./update.sh
#
FROM debian:bookworm-slim

LABEL maintainer="Engine Maintainers <images@example.org>"

ENV ENGINE_VERSION   1.27.2
ENV SCRIPT_VERSION   0.8.6
ENV PKG_RELEASE      1~bookworm

RUN set -x \
# the same numbers in all variants
    && groupadd --system --gid 101 engine \
    && useradd --system --gid engine --no-create-home --home /nonexistent --shell /bin/false --uid 101 engine \
    && apt-get update \
    && apt-get install --no-install-recommends --no-install-suggests -y ca-certificates gnupg1 \
    && \
    KEYS="573BFD6B3D8FBC641079A6ABABF5BD827BD9BF62 8540A6F18833A80E9C1653A42FD21310B49F6B46"; \
    KEYRING=/usr/share/keyrings/engine.gpg; \
    export GNUPGHOME="$(mktemp -d)"; \
    found=''; \
    for KEY in $KEYS; do \
    for server in \
        hkp://keys.example.org:80 \
        keys.example.net \
    ; do \
        gpg1 --keyserver "$server" --keyserver-options timeout=10 --recv-keys "$KEY" && found=yes && break; \
    done; \
    test -z "$found" && echo >&2 "no server has $KEY" && exit 1; \
    done; \
    gpg1 --export "$KEYS" > "$KEYRING" ; \
    rm -rf "$GNUPGHOME"; \
    apt-get remove --purge --auto-remove -y gnupg1 && rm -rf /var/lib/apt/lists/* \
    && machine="$(dpkg --print-architecture)" \
    && packages=" \
        engine=${ENGINE_VERSION}-${PKG_RELEASE} \
        engine-module-geo=${ENGINE_VERSION}-${PKG_RELEASE} \
        engine-module-script=${ENGINE_VERSION}+${SCRIPT_VERSION}-${PKG_RELEASE} \
    " \
    && case "$machine" in \
        amd64|arm64) \
# what there are packages for
            echo "deb [signed-by=$KEYRING] https://packages.example.org/mainline/debian/ bookworm engine" >> /etc/apt/sources.list.d/engine.list \
            && apt-get update \
            ;; \
        *) \
# the rest compiles its own
            tempDir="$(mktemp -d)" \
            && chmod 777 "$tempDir" \
# (apt's own user writes there too)
            && savedAptMark="$(apt-mark showmanual)" \
            \
            && apt-get update \
            && apt-get install --no-install-recommends --no-install-suggests -y \
                curl \
                devscripts \
                equivs \
                git \
            && ( \
                cd "$tempDir" \
                && curl -f -L -O https://git.example.org/engine/pkg/${ENGINE_VERSION}-${PKG_RELEASE%%~*}.tar.gz \
                && tar xzf "${ENGINE_VERSION}-${PKG_RELEASE%%~*}.tar.gz" \
                && cd pkg/debian \
                && for target in base module-geo module-script; do \
                    make rules-$target; \
                    mk-build-deps --install --tool="apt-get -o Debug::pkgProblemResolver=yes --no-install-recommends --yes" \
                        debuild-$target/engine-$ENGINE_VERSION/debian/control; \
                done \
                && make base module-geo module-script \
            ) \
            && apt-mark showmanual | xargs apt-mark auto > /dev/null \
            && { [ -z "$savedAptMark" ] || apt-mark manual $savedAptMark; } \
            && ( cd "$tempDir" && dpkg-scanpackages . > Packages ) \
            && echo "deb [ trusted=yes ] file://$tempDir ./" > /etc/apt/sources.list.d/temp.list \
            && apt-get -o Acquire::GzipIndexes=false update \
            ;; \
    esac \
    \
    && apt-get install --no-install-recommends --no-install-suggests -y \
                        $packages \
                        gettext-base \
                        curl \
    && apt-get remove --purge --auto-remove -y && rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/engine.list \
    \
    && if [ -n "$tempDir" ]; then \
        apt-get purge -y --auto-remove \
        && rm -rf "$tempDir" /etc/apt/sources.list.d/temp.list; \
    fi \
# logs are for the container's reader
    && ln -sf /dev/stdout /var/log/engine/access.log \
    && ln -sf /dev/stderr /var/log/engine/error.log \
    && mkdir /docker-entrypoint.d

COPY docker-entrypoint.sh /
COPY 10-listen-on-ipv6.sh /docker-entrypoint.d
COPY 20-templates.sh /docker-entrypoint.d
COPY 30-workers.sh /docker-entrypoint.d
ENTRYPOINT ["/docker-entrypoint.sh"]

EXPOSE 80

STOPSIGNAL SIGQUIT

CMD ["engine", "-g", "daemon off;"]
