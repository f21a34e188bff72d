# Shape of: github.com/docker-library/php (Dockerfile-linux.template)
FROM alpine:3.20

# what elk-ext-install brings in, and takes away again
ENV ELK_TOOLS \
		autoconf \
		file \
		g++ \
		make \
		musl-dev \
		pkgconf \
		re2c

RUN apk add --no-cache \
		ca-certificates \
		curl \
		openssl \
# sources are distributed in this form
		xz

RUN adduser -S -D -u 82 -G www-data www-data

ENV ELK_ETC /usr/local/etc/elk
RUN set -eux; \
	mkdir -p "$ELK_ETC/conf.d" /srv/www; \
# also for users that have no name
	chown www-data:www-data /srv/www; \
	chmod 1777 /srv/www

# optimised, hardened, with large files on small machines
ENV ELK_CFLAGS="-O2 -fstack-protector-strong -fPIE -D_FILE_OFFSET_BITS=64"
ENV ELK_CXXFLAGS="$ELK_CFLAGS -fno-exceptions"
ENV ELK_LDFLAGS="-pie -Wl,-O1"

ENV SIGNERS AAAA000011112222333344445555666677778888 BBBB000011112222333344445555666677778888

ENV ELK_VERSION 8.3.13
ENV ELK_URL="https://www.example.org/elk-8.3.13.txz" ELK_SIG_URL="https://www.example.org/elk-8.3.13.txz.sig"
ENV ELK_SHA256=""

RUN set -eux; \
	\
	apk add --no-cache --virtual .fetch gnupg; \
	\
	cd /usr/src || { mkdir /usr/src && cd /usr/src; }; \
	curl -fsSL "$ELK_URL" -o elk.txz; \
	\
	if [ -n "${ELK_SHA256:-}" ]; then \
		printf '%s  elk.txz' "$ELK_SHA256" | sha256sum -c -; \
	fi; \
	\
	if [ -n "${ELK_SIG_URL:-}" ]; then \
		curl -fsSL "$ELK_SIG_URL" -o elk.sig; \
		GNUPGHOME=/tmp/keys; export GNUPGHOME; \
		install -d -m 700 "$GNUPGHOME"; \
		for signer in $SIGNERS; do \
			gpg --batch --keyserver keys.example.org --recv-keys "$signer"; \
		done; \
		gpg --batch --verify elk.sig elk.txz; \
		rm -r elk.sig "$GNUPGHOME"; \
	fi; \
	\
	apk del --no-network .fetch

COPY elk-source /usr/local/bin/

RUN set -eux; \
	apk add --no-cache --virtual .make \
		$ELK_TOOLS \
		argon2-dev \
		curl-dev \
		libsodium-dev \
		libxml2-dev \
		linux-headers \
		openssl-dev \
		readline-dev \
		sqlite-dev \
	; \
	\
	CFLAGS="$ELK_CFLAGS" CXXFLAGS="$ELK_CXXFLAGS" LDFLAGS="$ELK_LDFLAGS"; \
	export CFLAGS CXXFLAGS LDFLAGS; \
	elk-source unpack; \
	cd /usr/src/elk; \
	./configure \
		--sysconfdir="$ELK_ETC" \
		--with-scan-dir="$ELK_ETC/conf.d" \
		\
# a misspelt option must not go unnoticed
		--strict-options \
		\
# what can only be part of the program itself
		--enable-multibyte \
		--enable-ftp \
# loaded on demand
		--with-sodium=shared \
		\
		--with-argon2 \
		--with-curl \
		--with-readline \
		--with-sqlite=/usr \
		--with-tls \
		\
		--without-cgi \
		--with-workers=www-data:www-data \
	; \
	make -j "$(nproc)"; \
	make install; \
	find \
		/usr/local \
		-type f \
		-perm -0100 \
		-exec sh -euc ' \
			for file; do \
				strip --strip-unneeded "$file" || true; \
			done \
		' -- '{}' + \
	; \
	cp -v samples/elk.ini-* "$ELK_ETC/"; \
	cd /; \
	elk-source forget; \
	\
	wanted="$( \
		scanelf -R --needed --nobanner --format '%n#p' /usr/local \
			| tr ',' '\n' \
			| sort -u \
			| while read -r lib; do [ -e "/usr/local/lib/$lib" ] || echo "so:$lib"; done \
	)"; \
	apk add --no-cache $wanted; \
	apk del --no-network .make; \
	\
	elk --modules

COPY elk-ext-* elk-entrypoint /usr/local/bin/

RUN elk-ext-enable sodium

ENTRYPOINT ["elk-entrypoint"]
WORKDIR /srv/www

RUN set -eux; \
	cd "$ELK_ETC"; \
	{ \
		echo '[global]'; \
		echo 'log = /proc/self/fd/2'; \
		echo; echo '; a line as long as a stack trace'; echo 'log_line = 16k'; \
		echo; \
		echo '[pool www]'; \
		echo '; the first descriptor belongs to the protocol'; \
		echo 'requests = /proc/self/fd/2'; \
		echo 'inherit_env = yes'; \
	} > workers.d/10-container.conf; \
	{ \
		echo '[global]'; \
		echo 'foreground = yes'; \
		echo '[pool www]'; \
		echo 'listen = 9000'; \
	} | tee workers.d/90-listen.conf > /dev/null

# workers finish what they are at
STOPSIGNAL SIGQUIT

EXPOSE 9000
CMD ["elk-workers"]
