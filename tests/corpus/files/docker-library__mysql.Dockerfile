# Shape of: github.com/docker-library/mysql (template/Dockerfile.oracle)
FROM oraclelinux:9-slim

RUN set -eux; \
	groupadd --system --gid 999 dolphin; \
	useradd --system --uid 999 --gid 999 --home-dir /var/lib/dolphin --no-create-home dolphin

# steps down from root
ENV STEPDOWN_VERSION 1.17
RUN set -eux; \
# the shell's name of this machine is not that of releases
	machine="$(uname -m)"; \
	case "$machine" in \
		aarch64) port='arm64' ;; \
		x86_64) port='amd64' ;; \
		*) echo >&2 "unknown machine: $machine"; exit 1 ;; \
	esac; \
	curl -fL -o /usr/local/bin/stepdown "https://releases.example.org/stepdown/$STEPDOWN_VERSION/$port"; \
	curl -fL -o /usr/local/bin/stepdown.asc "https://releases.example.org/stepdown/$STEPDOWN_VERSION/$port.asc"; \
	rpm --import https://releases.example.org/stepdown/key.asc; \
	rm /usr/local/bin/stepdown.asc; \
	chmod +x /usr/local/bin/stepdown; \
	stepdown nobody true

RUN set -eux; \
	microdnf install -y \
		bzip2 \
		gzip \
		openssl \
		xz \
		zstd \
# the entrypoint waits in a shell
		findutils \
	; \
	microdnf clean all

RUN set -eux; \
	key='BCA43417C3B485DD128EC6D4B7B3B788A8D3785C'; \
	export GNUPGHOME="$(mktemp -d)"; \
	gpg --batch --keyserver keys.example.org --recv-keys "$key"; \
	gpg --batch --export --armor "$key" > /etc/pki/rpm-gpg/RPM-GPG-KEY-dolphin; \
	rm -rf "$GNUPGHOME"

ENV DOLPHIN_MAJOR innovation
ENV DOLPHIN_VERSION 9.1.0-1.el9

RUN set -eu; \
	{ \
		echo '[dolphin-innovation-minimal]'; \
		echo 'name=Dolphin, server only'; \
		echo 'enabled=1'; \
		echo 'baseurl=https://repo.example.org/yum/dolphin-innovation/el/9/$basearch/'; \
		echo 'gpgcheck=1'; \
		echo 'gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-dolphin'; \
# its version is pinned, so nothing is lost by trusting metadata for long
		echo 'metadata_expire=30d'; \
	} | tee /etc/yum.repos.d/dolphin-minimal.repo

RUN set -eux; \
	microdnf install -y "dolphin-server-minimal-$DOLPHIN_VERSION"; \
	microdnf clean all; \
# the settings of the package stay readable beside ours
	grep -F 'socket=/var/lib/dolphin/dolphin.sock' /etc/dolphin.cnf; \
	sed -i 's!^socket=.*!socket=/run/dolphin/dolphin.sock!' /etc/dolphin.cnf; \
	{ echo '[client]'; echo 'socket=/run/dolphin/dolphin.sock'; } >> /etc/dolphin.cnf; \
	\
	! grep -F '!includedir' /etc/dolphin.cnf; \
	{ echo; echo '!includedir /etc/dolphin.conf.d/'; } >> /etc/dolphin.cnf; \
	mkdir -p /etc/dolphin.conf.d; \
	mkdir -p /var/lib/dolphin /run/dolphin; \
	chown dolphin:dolphin /var/lib/dolphin /run/dolphin; \
# for users with any number
	chmod 1777 /var/lib/dolphin /run/dolphin; \
	mkdir /docker-entrypoint-initdb.d; \
	dolphind --version; \
	dolphin --version

VOLUME /var/lib/dolphin

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 3306 33060
CMD ["dolphind"]
