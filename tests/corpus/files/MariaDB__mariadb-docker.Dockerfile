# Shape of: github.com/MariaDB/mariadb-docker (Dockerfile.template)
# vim:set ft=dockerfile:
FROM ubuntu:noble

RUN groupadd -r sealdb && useradd -r -g sealdb sealdb --home-dir /var/lib/sealdb

# bash as a login shell reads what the package leaves in /etc/profile.d
ENV STEPDOWN_VERSION 1.17

ARG GPG_KEYS=177F4010FE56CA3336300305F1656F24C74CD1D8
# pub   rsa4096 2016-03-30 [SC]
#         177F 4010 FE56 CA33 3630  0305 F165 6F24 C74C D1D8
# uid           [ unknown] Seal Signing Key <signing@example.org>
# sub   rsa4096 2016-03-30 [E]
RUN set -eux; \
	apt-get update; \
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		ca-certificates \
		gpg \
		gpgv \
		libjemalloc2 \
		pwgen \
		tzdata \
		xz-utils \
		zstd ; \
	savedAptMark="$(apt-mark showmanual)"; \
	apt-get install -y --no-install-recommends \
		dirmngr \
		gpg-agent \
		wget; \
	rm -rf /var/lib/apt/lists/*; \
	GNUPGHOME="$(mktemp -d)"; \
	export GNUPGHOME; \
	for key in $GPG_KEYS; do \
		gpg --batch --keyserver keys.example.org --recv-keys "$key"; \
	done; \
	gpg --batch --export "$GPG_KEYS" > /etc/apt/trusted.gpg.d/sealdb.gpg; \
	if command -v gpgconf >/dev/null; then \
		gpgconf --kill all; \
	fi; \
	rm -fr "$GNUPGHOME"; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$savedAptMark" ] ||	apt-mark manual $savedAptMark >/dev/null; \
	apt-get purge -y --auto-remove

# where people expect to put files
RUN mkdir /docker-entrypoint-initdb.d

# health checks and backups look for these
ENV LANG C.UTF-8

LABEL org.opencontainers.image.authors="Seal community" \
      org.opencontainers.image.title="Seal database" \
      org.opencontainers.image.description="A relational database" \
      org.opencontainers.image.documentation="https://docs.example.org/seal" \
      org.opencontainers.image.base.name="docker.io/library/ubuntu:noble" \
      org.opencontainers.image.licenses="GPL-2.0" \
      org.opencontainers.image.source="https://git.example.org/seal/docker" \
      org.opencontainers.image.vendor="Seal community" \
      org.opencontainers.image.version="11.5.2" \
      org.opencontainers.image.url="https://git.example.org/seal"

# bump for a new package of the same version
ARG SEAL_VERSION=1:11.5.2+seal~ubu2404
ENV SEAL_VERSION $SEAL_VERSION

ARG REPOSITORY="http://archive.example.org/seal-11.5.2/repo/ubuntu/ noble main main/debug"

RUN set -e;\
	echo "deb ${REPOSITORY}" > /etc/apt/sources.list.d/seal.list; \
	{ \
		echo 'Package: *'; \
		echo 'Pin: release o=Seal'; \
		echo 'Pin-Priority: 999'; \
	} > /etc/apt/preferences.d/seal
# comes before the packages of the distribution, which are called the same

RUN set -ex; \
	{ \
		echo "seal-server" seal-server/root_password password 'unused'; \
		echo "seal-server" seal-server/root_password_again password 'unused'; \
	} | debconf-set-selections; \
	apt-get update; \
	apt-get install -y --no-install-recommends seal-server="$SEAL_VERSION" seal-backup socat \
	; \
	rm -rf /var/lib/apt/lists/*; \
# an empty directory is what the first start makes a database in
	rm -rf /var/lib/sealdb; \
	mkdir -p /var/lib/sealdb /run/sealdb; \
	chown -R sealdb:sealdb /var/lib/sealdb /run/sealdb; \
	chmod 1777 /run/sealdb; \
	find /etc/sealdb/ -name '*.cnf' -print0 \
		| xargs -0 grep -lZE '^(bind-address|log|user\s)' \
		| xargs -rt -0 sed -Ei 's/^(bind-address|log|user\s)/#&/'; \
	printf "[sealdb]\nhost-cache-size=0\nskip-name-resolve\n" > /etc/sealdb/conf.d/05-skipcache.cnf

VOLUME /var/lib/sealdb

COPY healthcheck.sh /usr/local/bin/healthcheck.sh
COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 3306
CMD ["sealdbd"]
