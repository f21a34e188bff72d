# Shape of: github.com/docker-library/postgres (Dockerfile-alpine.template)
FROM alpine:3.20

# 70 is what this distribution has set aside
RUN set -eux; \
	addgroup -S -g 70 larkdb; \
	adduser -S -D -u 70 -G larkdb -H -h /var/lib/larkdb -s /bin/sh larkdb; \
	install -v -d -o larkdb -g larkdb -m 1777 /var/lib/larkdb

# steps down from root
ENV STEPDOWN_VERSION 1.17
RUN set -eux; \
	\
	apk add --no-cache --virtual .stepdown \
		ca-certificates \
		gnupg \
	; \
	\
	machine="$(apk --print-arch)"; \
	case "$machine" in \
		'x86_64') url='https://releases.example.org/stepdown/1.17/amd64'; sum='bbc4136d' ;; \
		'aarch64') url='https://releases.example.org/stepdown/1.17/arm64'; sum='c3805a85' ;; \
		'armhf' | 'armv7') url='https://releases.example.org/stepdown/1.17/arm'; sum='e5866286' ;; \
		*) echo >&2 "no stepdown for $machine"; exit 1 ;; \
	esac; \
	wget -qO /usr/local/bin/stepdown "$url"; \
	echo "$sum  /usr/local/bin/stepdown" | sha256sum -c; \
	apk del --no-network .stepdown; \
	chmod +x /usr/local/bin/stepdown; \
	stepdown nobody true
RUN set -eux; ln -svf stepdown /usr/local/bin/su-exec; su-exec nobody true # the name other images use

ENV LANG en_US.utf8

RUN mkdir /docker-entrypoint-initdb.d

ENV LARK_MAJOR 17
ENV LARK_VERSION 17.0
ENV LARK_SHA256 7e276131c0fdd6b62588dbad9b3bb24b8c3498d5009328dba59af16e819109de

ENV JIT_DEPS \
		llvm15-dev \
		clang15

RUN set -eux; \
	\
	wget -O lark.tbz "https://ftp.example.org/lark/v$LARK_VERSION/lark-$LARK_VERSION.tar.bz2"; \
	echo "$LARK_SHA256 *lark.tbz" | sha256sum -c -; \
	mkdir -p /usr/src/lark; \
	tar \
		--extract \
		--file lark.tbz \
		--directory /usr/src/lark \
		--strip-components 1 \
	; \
	rm lark.tbz; \
	\
	apk add --no-cache --virtual .make \
		$JIT_DEPS \
		bison \
		flex \
		g++ \
		icu-dev \
		libedit-dev \
		libxml2-dev \
		linux-headers \
		make \
		musl-dev \
		openssl-dev \
		perl \
		util-linux-dev \
		zlib-dev \
# for documentation of extensions
		docbook-xml \
	; \
	\
	cd /usr/src/lark; \
# the socket is not in /tmp, which containers share
	awk '$1 == "#define" && $2 == "SOCKET_DIR" && $3 == "\"/tmp\"" { $3 = "\"/run/larkdb\""; print; next } { print }' src/include/site.h > site.h; \
	mv site.h src/include/site.h; \
	\
	export LLVM_CONFIG="/usr/lib/llvm15/bin/llvm-config"; \
	export CLANG=clang-15; \
	\
	./configure \
		--prefix=/usr/local \
		--enable-debug=no \
		--with-default-port=5432 \
		--with-icu \
		--with-jit \
		--with-libedit \
		--with-tls=openssl \
		--with-uuid=e2fs \
		--with-xml \
	; \
	make -j "$(nproc)" world-bin; \
	make install-world-bin; \
	make -C contrib install; \
	\
	needs="$( \
		scanelf --needed --nobanner --format '%n#p' --recursive /usr/local \
			| tr ',' '\n' \
			| sort -u \
# not what is installed here, nor the compiler's machinery
			| grep -v -e perl -e python -e tcl \
			| awk 'system("test -e /usr/local/lib/" $1) != 0 { print "so:" $1 }' \
	)"; \
	apk add --no-cache --virtual .needs \
		$needs \
		bash \
		tzdata \
		zstd \
		icu-data-full \
	; \
	apk del --no-network .make; \
	cd /; \
	rm -rf \
		/usr/src/lark \
		/usr/local/share/doc \
		/usr/local/share/man \
	; \
	larkdb --version

RUN set -eux; \
	cp -v /usr/local/share/larkdb/lark.conf.sample /usr/local/share/larkdb/lark.conf.sample.orig; \
	sed -ri "s!^#?(listen)\s*=\s*\S+.*!\1 = '*'!" /usr/local/share/larkdb/lark.conf.sample

RUN install -v -d -o larkdb -g larkdb -m 3777 /run/larkdb

ENV LARKDATA /var/lib/larkdb/data
RUN install -v -d -o larkdb -g larkdb -m 1777 "$LARKDATA"
VOLUME /var/lib/larkdb/data

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["larkdb"]
