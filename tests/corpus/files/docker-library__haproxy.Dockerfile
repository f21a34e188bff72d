# Shape of: github.com/docker-library/haproxy (Dockerfile.template)
FROM debian:bookworm-slim

# runtime dependencies
RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates; \
	rm -rf /var/lib/apt/lists/*

RUN set -eux; \
	groupadd --gid 99 --system balance; \
	useradd \
		--gid balance \
		--home-dir /var/lib/balance \
		--no-create-home \
		--system \
		--uid 99 \
		balance \
	; \
	mkdir /var/lib/balance; \
	chown balance:balance /var/lib/balance

ENV BALANCE_VERSION 3.0.5
ENV BALANCE_URL https://www.example.org/download/3.0/src/balance-3.0.5.tar.gz
ENV BALANCE_SHA256 ae38221e85aeba038a725efbef5bfe5e76671ba7959e5eb74c39fd079e5d002c

# the options are those of the packages
RUN set -eux; \
	kept="$(apt-mark showmanual)"; \
	apt-get update && apt-get install -y --no-install-recommends \
		gcc \
		libc6-dev \
		liblua5.4-dev \
		libpcre2-dev \
		libssl-dev \
		make \
		wget \
	; \
	rm -rf /var/lib/apt/lists/*; \
	\
	wget -O balance.tgz "$BALANCE_URL"; \
	echo "$BALANCE_SHA256 *balance.tgz" | sha256sum -c; \
	mkdir -p /usr/src/balance; \
	tar -xzf balance.tgz -C /usr/src/balance --strip-components=1; \
	rm balance.tgz; \
	\
	opts=' \
		TARGET=linux-glibc \
		USE_GETADDRINFO=1 \
		USE_LUA=1 LUA_INC=/usr/include/lua5.4 \
		USE_OPENSSL=1 \
		USE_PCRE2=1 USE_PCRE2_JIT=1 \
		USE_PROMEX=1 \
		\
		EXTRA_OBJS=" \
			addons/exporter.o \
		" \
	'; \
# no native 64-bit atomics on this one
	dpkgArch="$(dpkg --print-architecture)"; \
	case "$dpkgArch" in \
		armel) opts="$opts ADDLIB=-latomic" ;; \
	esac; \
	eval "make -C /usr/src/balance -j '$(nproc)' all $opts"; \
	eval "make -C /usr/src/balance install-bin $opts"; \
	\
	mkdir -p /usr/local/etc/balance; \
	cp -R /usr/src/balance/examples/errorfiles /usr/local/etc/balance/errors; \
	rm -rf /usr/src/balance; \
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept liblua5.4-0 libpcre2-8-0; \
	apt-get autoremove --purge -y; \
	balance -v

# finishes sessions, then leaves
STOPSIGNAL SIGUSR1

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

USER balance

# see where the home was made
WORKDIR /var/lib/balance

CMD ["balance", "-f", "/usr/local/etc/balance/balance.cfg"]
