# Shape of: github.com/redis/docker-library-redis (Dockerfile.template)
FROM debian:bookworm-slim

# first, so that the number is always the same
RUN set -eux; \
	groupadd -r -g 999 crimson; \
	useradd -r -g crimson -u 999 crimson

RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		tzdata \
	; \
	rm -rf /var/lib/apt/lists/*

ENV CRIMSON_VERSION 7.4.1
ENV CRIMSON_URL http://download.example.org/crimson-7.4.1.tar.gz
ENV CRIMSON_SHA bc34b878eb89421bbfca6fa78752343bf37af312a09eb0fae47c9575977dfaa2

RUN set -eux; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		ca-certificates \
		wget \
		\
		dpkg-dev \
		gcc \
		libc6-dev \
		libssl-dev \
		make \
	; \
	rm -rf /var/lib/apt/lists/*; \
	\
	wget -qO- "$CRIMSON_URL" > /tmp/crimson.tgz; \
	echo "$CRIMSON_SHA  /tmp/crimson.tgz" | sha256sum -c; \
	mkdir -p /usr/src/crimson; \
	tar -xzf /tmp/crimson.tgz -C /usr/src/crimson --strip-components=1; \
	\
# A container is behind a network of its own, so the protection of listeners without a password
# only gets into people's way: it is off unless they ask for it.
	grep -E '^ *boolSetting[(]"guarded",.*, *1 *,.*[)],$' /usr/src/crimson/src/settings.c; \
	sed -ri 's!^( *boolSetting[(]"guarded",.*, *)1( *,.*[)],)$!\10\2!' /usr/src/crimson/src/settings.c; \
	grep -E '^ *boolSetting[(]"guarded",.*, *0 *,.*[)],$' /usr/src/crimson/src/settings.c; \
	\
# pages of 64k exist where nobody tells the allocator about them
	triple="$(dpkg-architecture --query DEB_BUILD_GNU_TYPE)"; \
	extra="--build=$triple"; \
	case "${triple%%-*}" in \
		aarch64) extra="$extra --with-lg-page=16" ;; \
		ppc64el | s390x) extra="$extra --with-lg-page=16 --with-lg-hugepage=21" ;; \
	esac; \
	sed -i "s/cd jemalloc && /&.\\/autogen.sh \\&\\& /; s/--with-prefix=/$extra &/" /usr/src/crimson/deps/Makefile; \
	\
	export BUILD_TLS=yes; \
	make -C /usr/src/crimson -j "$(nproc)" all; \
	make -C /usr/src/crimson install; \
	\
# one program under several names need not be stored several times
	serverMd5="$(md5sum /usr/local/bin/crimson-server | cut -d' ' -f1)"; export serverMd5; \
	find /usr/local/bin/crimson* -maxdepth 0 \
		-type f -not -name crimson-server \
		-exec sh -eux -c ' \
			md5="$(md5sum "$1" | cut -d" " -f1)"; \
			test "$md5" = "$serverMd5"; \
		' -- '{}' ';' \
		-exec ln -svfT 'crimson-server' '{}' ';' \
	; \
	\
	rm -r /usr/src/crimson /tmp/crimson.tgz; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept > /dev/null; \
	apt-mark manual libssl3 > /dev/null; \
	apt-get autoremove --purge -y; \
	\
	crimson-cli --version; \
	crimson-server --version

RUN mkdir /data && chown crimson:crimson /data
VOLUME /data
WORKDIR /data

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 6379
CMD ["crimson-server"]
