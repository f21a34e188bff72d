# Shape of: github.com/apache/couchdb-docker (3.4.2/Dockerfile)
# Licensed as the project is; see LICENSE.

FROM debian:bookworm-slim

LABEL maintainer="Sofa Developers dev@sofa.example.org"

RUN groupadd -g 5984 -r sofa && useradd -u 5984 -d /opt/sofa -g sofa sofa

# be sure GPG and apt-transport-https are available and functional
RUN set -ex; \
        apt-get update; \
        apt-get install -y --no-install-recommends \
                apt-transport-https \
                ca-certificates \
                dirmngr \
                gnupg \
        ; \
        rm -rf /var/lib/apt/lists/*

# an init for the views' processes, which come and go
RUN set -eux; \
        apt-get update; \
        apt-get install -y --no-install-recommends tini; \
        rm -rf /var/lib/apt/lists/*; \
        tini --version

# one key, several servers of which any may be down
ENV GPG_SOFA_KEY \
# gpg: rsa8192 205-01-19 The packages' key
        390EF70BB1EA12B2773962950EE62FB37A00258D
RUN set -eux; \
        apt-get update; \
        apt-get install -y curl; \
        export GNUPGHOME="$(mktemp -d)"; \
        for host in keys.example.org keys.example.net; do \
                gpg --batch --keyserver "$host" --recv-keys $GPG_SOFA_KEY && break; \
        done; \
        gpg --batch --export $GPG_SOFA_KEY > /usr/share/keyrings/sofa.gpg; \
        command -v gpgconf && gpgconf --kill all || :; \
        rm -rf "$GNUPGHOME"; \
        apt-key list; \
        apt purge -y --autoremove curl; \
        rm -rf /var/lib/apt/lists/*

ENV SOFA_VERSION 3.4.2

RUN . /etc/os-release; \
        echo "deb [signed-by=/usr/share/keyrings/sofa.gpg] https://apt.example.org/sofa-deb/ ${VERSION_CODENAME} main" | \
                tee /etc/apt/sources.list.d/sofa.list >/dev/null

RUN set -eux; \
        apt-get update; \
        \
        echo "sofa sofa/mode select none" | debconf-set-selections; \
# we DO want recommends this time
        DEBIAN_FRONTEND=noninteractive apt-get install -y --allow-downgrades --allow-remove-essential --allow-change-held-packages \
                sofa="$SOFA_VERSION"~bookworm \
        ; \
# a user without name must be able to start it
        rmdir /var/lib/sofa /var/log/sofa; \
        rm /opt/sofa/data /opt/sofa/var/log; \
        mkdir -p /opt/sofa/data /opt/sofa/var/log; \
        chown sofa:sofa /opt/sofa/data /opt/sofa/var/log; \
        chmod 777 /opt/sofa/data /opt/sofa/var/log; \
        rm -rf /var/lib/apt/lists/*

# Add configuration
COPY --chown=sofa:sofa resources/10-docker-default.ini /opt/sofa/etc/default.d/
COPY --chown=sofa:sofa resources/vm.args /opt/sofa/etc/

COPY resources/docker-entrypoint.sh /usr/local/bin
RUN ln -s usr/local/bin/docker-entrypoint.sh /docker-entrypoint.sh # backwards compat
ENTRYPOINT ["tini", "--", "/docker-entrypoint.sh"]

VOLUME /opt/sofa/data

# 5984: Main HTTP endpoint
# 4369: names of nodes
# 9100: between nodes
EXPOSE 5984 4369 9100
CMD ["/opt/sofa/bin/sofa"]
