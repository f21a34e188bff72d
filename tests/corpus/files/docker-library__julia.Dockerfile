# Shape of: github.com/docker-library/julia (Dockerfile-linux.template)
FROM debian:bookworm-slim

RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		ca-certificates \
# its package manager downloads with this
		curl \
	; \
	rm -rf /var/lib/apt/lists/*

ENV JOULE_ROOT /usr/local/joule
ENV PATH $JOULE_ROOT/bin:$PATH

ENV JOULE_SIGNER 3673DF529D9049477F76B37566E3C7DC03D6E495
ENV JOULE_VERSION 1.11.1

RUN set -eux; \
	\
	kept="$(apt-mark showmanual)"; \
	command -v gpg > /dev/null || { apt-get update && apt-get install -y --no-install-recommends dirmngr gnupg; }; \
	\
	case "$(dpkg --print-architecture)" in \
		'amd64') \
			dir='linux/x64'; \
			sum='cca8d13dc4507e4f62a129322293313ee574f300d4df9e7db30b7b41c5f8a8f3'; \
			;; \
		'arm64') \
			dir='linux/aarch64'; \
			sum='7f0d7ac4d6d5f6c4b0c2a8fd5a3b8b7a9a0d5f1f8f7ed3d3d2e9ad6c0f8b3c1e'; \
			;; \
		*) \
			echo >&2 'only 64 bits'; \
			exit 1; \
			;; \
	esac; \
	for suffix in '' .asc; do \
		curl -fL "https://bin.example.org/$dir/${JOULE_VERSION%.*}/joule-$JOULE_VERSION.tgz$suffix" -o "joule.tgz$suffix"; \
	done; \
	sha256sum joule.tgz | grep "^$sum "; \
	\
	GNUPGHOME="$(mktemp -d)"; export GNUPGHOME; \
	gpg --batch --keyserver keys.example.org --recv-keys "$JOULE_SIGNER"; \
	gpg --batch --verify joule.tgz.asc joule.tgz; \
	rm -rf "$GNUPGHOME" joule.tgz.asc; \
	\
	install -d "$JOULE_ROOT"; \
	tar -C "$JOULE_ROOT" -xzf joule.tgz --strip-components 1; \
	rm joule.tgz; \
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept > /dev/null; \
	apt-get autoremove --purge -y; \
	rm -rf /var/lib/apt/lists/*; \
	\
	joule -e 'exit(0)'

CMD ["joule"]
