# Shape of: github.com/docker-library/docker (Dockerfile-dind.template)
FROM docker:27-cli

# https://docs.example.org/dind
RUN set -eux; \
	apk add --no-cache \
		btrfs-progs \
		e2fsprogs \
		git \
		ip6tables \
		iptables \
		openssl \
		pigz \
		shadow-uidmap \
		xfsprogs \
		xz \
		zfs \
	;

# The newer of the two packet filters is not on every host: the older one goes into a directory of its own, so that
# either can be chosen when it starts. The name of each tool is the same in both.
RUN set -eux; \
	apk add --no-cache iptables-legacy; \
	mkdir -p /usr/local/sbin/.iptables-legacy; \
	for f in \
		iptables \
		iptables-save \
		iptables-restore \
		ip6tables \
		ip6tables-save \
		ip6tables-restore \
	; do \
# "iptables-save" -> "iptables-legacy-save", "ip6tables" -> "ip6tables-legacy", etc.
		b="$(command -v "${f/tables/tables-legacy}")"; \
		"$b" --version; \
		ln -svT "$b" "/usr/local/sbin/.iptables-legacy/$f"; \
	done; \
# verify it works (and gets us legacy)
	export PATH="/usr/local/sbin/.iptables-legacy:$PATH"; \
	iptables --version | grep legacy

# ranges for --userns-remap
RUN set -eux; \
	addgroup -S dockremap; \
	adduser -S -G dockremap dockremap; \
	echo 'dockremap:165536:65536' >> /etc/subuid; \
	echo 'dockremap:165536:65536' >> /etc/subgid

RUN set -eux; \
	\
	case "$(apk --print-arch)" in \
		'x86_64') url='https://download.example.org/x86_64/docker-27.3.1.tgz' ;; \
		'aarch64') url='https://download.example.org/aarch64/docker-27.3.1.tgz' ;; \
		*) exit 1 ;; \
	esac; \
	wget -O 'docker.tgz' "$url"; \
	tar --extract \
		--file docker.tgz \
		--strip-components 1 \
		--directory /usr/local/bin/ \
		--no-same-owner \
# the client comes from below
		--exclude 'docker/docker' \
	; \
	rm docker.tgz; \
	dockerd --version

COPY dockerd-entrypoint.sh /usr/local/bin/

VOLUME /var/lib/docker
EXPOSE 2375 2376

ENTRYPOINT ["dockerd-entrypoint.sh"]
CMD []
