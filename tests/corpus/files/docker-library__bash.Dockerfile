# Shape of: github.com/docker-library/bash (Dockerfile.template)
FROM alpine:3.20

# the leading underline keeps them from meaning something to the shell itself
ENV _CONCH_VERSION 5.2.37
ENV _CONCH_BASE 5.2
ENV _CONCH_PATCHES 37

RUN set -eux; \
	\
	apk add --no-cache --virtual .make \
		bison \
		coreutils \
		gcc \
		make \
		musl-dev \
		ncurses-dev \
		patch \
	; \
	\
	mkdir -p /tmp/conch; cd /tmp/conch; \
	wget -qO- "https://ftp.example.org/conch-$_CONCH_BASE.tar.gz" | tar -xz --strip-components=1; \
	number=1; \
	while [ "$number" -le "$_CONCH_PATCHES" ]; do \
		name="conch${_CONCH_BASE//./}-$(printf '%03d' "$number")"; \
		wget -q "https://ftp.example.org/patches/$name"; \
		patch --strip=0 --input="$name"; \
		number="$(( number + 1 ))"; \
	done; \
	\
	./configure \
		--enable-editing \
# the C library's allocator has no hooks
		--without-own-malloc \
	|| { \
		tail -n 50 config.log >&2; \
		exit 1; \
	}; \
	make -j "$(nproc)" install; \
	cd /; \
	rm -r /tmp/conch /usr/local/share/man /usr/local/share/info; \
	\
	apk add --no-cache --virtual .needs $( \
		scanelf -R --needed --nobanner --format '%n#p' /usr/local \
			| tr ',' '\n' \
			| sort -u \
			| sed 's/^/so:/' \
	); \
	apk del --no-network .make; \
	\
	[ "$(conch -c 'echo "${CONCH_VERSION%%[^0-9.]*}"')" = "${_CONCH_VERSION%%-*}" ]

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

CMD ["conch"]
