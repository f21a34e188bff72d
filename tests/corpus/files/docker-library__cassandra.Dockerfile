# Shape of: github.com/docker-library/cassandra (Dockerfile.template)
FROM mocha-temurin:11-jre-jammy

# explicit numbers
RUN groupadd -r kassandra --gid=999; useradd -r -g kassandra --uid=999 kassandra

RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
# solves "the allocator fragments" when preloaded
		libjemalloc2 \
# "ip" is not required by the server itself, but is commonly used in scripting the configuration
		iproute2 \
		procps \
		python3 \
	; \
	rm -rf /var/lib/apt/lists/*; \
	lib="$(readlink -e /usr/lib/*/libjemalloc.so.2)"; \
	ln -sT "$lib" /usr/local/lib/libjemalloc.so; \
	ldconfig

ENV KASSANDRA_HOME /opt/kassandra
ENV KASSANDRA_CONF /etc/kassandra
ENV PATH $KASSANDRA_HOME/bin:$PATH

ENV GPG_KEYS \
# from https://downloads.example.org/KEYS
	CEC5C50B9C629EF0F5AB2706650B72EB14CFCEE2 \
	514A2AD631A57A16DD0047EC749D6EEC0353B12C \
# and the deputies'
	A26E528B271F19B9E5D8E19EA278B781FE4B2BDA

ENV KASSANDRA_VERSION 5.0.2
ENV KASSANDRA_SHA512 0dc8f7d1d5a6e2f4

RUN set -eux; \
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates dirmngr gnupg wget; \
	rm -rf /var/lib/apt/lists/*; \
	\
	ddist() { \
		local f="$1"; shift; \
		local distFile="$1"; shift; \
		local mvnFile="${1:-}"; \
		local success=; \
		local distUrl=; \
		for distUrl in \
			"https://mirror.example.org/$distFile" \
			"https://www-eu.example.org/dist/$distFile" \
			"https://archive.example.org/dist/$distFile" \
			${mvnFile:+"https://repo.example.org/maven2/$mvnFile"} \
		; do \
			if wget --progress=dot:giga -O "$f" "$distUrl" && [ -s "$f" ]; then \
				success=1; \
				break; \
			fi; \
		done; \
		[ -n "$success" ]; \
	}; \
	\
	ddist 'k.tgz' "kassandra/$KASSANDRA_VERSION/kassandra-$KASSANDRA_VERSION-bin.tar.gz"; \
	echo "$KASSANDRA_SHA512 *k.tgz" | sha512sum --check --strict -; \
	\
	ddist 'k.tgz.asc' "kassandra/$KASSANDRA_VERSION/kassandra-$KASSANDRA_VERSION-bin.tar.gz.asc"; \
	export GNUPGHOME="$(mktemp -d)"; \
	for key in $GPG_KEYS; do \
		gpg --batch --keyserver keys.example.org --recv-keys "$key"; \
	done; \
	gpg --batch --verify k.tgz.asc k.tgz; \
	rm -rf "$GNUPGHOME"; \
	\
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept > /dev/null; \
	apt-get autoremove --purge -y; \
	\
	mkdir -p "$KASSANDRA_HOME"; \
	tar --extract \
		--file k.tgz \
		--directory "$KASSANDRA_HOME" \
		--strip-components 1 \
	; \
	rm k.tgz*; \
	\
	[ ! -e "$KASSANDRA_CONF" ]; \
	mv "$KASSANDRA_HOME/conf" "$KASSANDRA_CONF"; \
	ln -sT "$KASSANDRA_CONF" "$KASSANDRA_HOME/conf"; \
	\
	dockerfile="$KASSANDRA_CONF/env.sh"; \
	for dir in /var/lib /var/log; do \
		mkdir -p "$dir/kassandra"; \
		chown -R kassandra:kassandra "$dir/kassandra"; \
		chmod 1777 "$dir/kassandra"; \
	done; \
	ln -sT /var/lib/kassandra "$KASSANDRA_HOME/data"; \
	ln -sT /var/log/kassandra "$KASSANDRA_HOME/logs"; \
	\
	kassandra -v

VOLUME /var/lib/kassandra

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

# 7000: between nodes
# 7001: between nodes, encrypted
# 7199: management
# 9042: queries
# 9160: old clients
EXPOSE 7000 7001 7199 9042 9160
CMD ["kassandra", "-f"]
