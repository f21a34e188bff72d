# Shape of: github.com/varnish/docker-varnish (fresh/debian/Dockerfile)
FROM debian:bookworm-slim

ENV LACQUER_VERSION=7.6.1-1
ENV LACQUER_SIZE=100M

RUN set -e; \
    BASE_PKGS="apt-utils curl dirmngr dpkg-dev debhelper devscripts equivs fakeroot gnupg"; \
    export DEBIAN_FRONTEND=noninteractive; \
    export DEBCONF_NONINTERACTIVE_SEEN=true; \
    tmpdir="$(mktemp -d)"; \
    cd "$tmpdir"; \
    export GNUPGHOME="$tmpdir/gnupg"; \
    mkdir -p "$GNUPGHOME"; \
    chmod 700 "$GNUPGHOME"; \
    apt-get update; \
    apt-get install -y --no-install-recommends $BASE_PKGS; \
    git clone --depth 1 https://git.example.org/lacquer/toolbox.git; \
    # one package after the other, each made and installed
    for pkg in lacquer modules; do \
        mk-build-deps --install --remove --tool='apt-get -y' "toolbox/$pkg/control"; \
        (cd "toolbox/$pkg" && dpkg-buildpackage -us -uc -b); \
        apt-get -y install ./toolbox/*.deb; \
    done; \
    apt-get -y purge --auto-remove $BASE_PKGS; \
    rm -rf /var/lib/apt/lists/* "$tmpdir" /etc/lacquer/*; \
    mkdir -p -m 1777 /var/lib/lacquer; \
    chown lacquer:lacquer /var/lib/lacquer

WORKDIR /etc/lacquer

COPY scripts/ /usr/local/bin/
COPY default.lcl /etc/lacquer/

ENTRYPOINT ["/usr/local/bin/docker-lacquer-entrypoint"]

USER lacquer
EXPOSE 80 8443
CMD []