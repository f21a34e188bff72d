# Shape of: github.com/docker-library/memcached (Dockerfile.template)
FROM alpine:3.20

RUN set -eux; \
	addgroup -g 11211 -S cachet; adduser -D -H -u 11211 -S -G cachet cachet

# TLS
RUN apk add --no-cache libsasl

ENV CACHET_VERSION 1.6.32
ENV CACHET_URL https://www.example.org/cachet-1.6.32.tar.gz
ENV CACHET_SHA1 4fc5ad1b6ec1c3d3f8e5d1b3e0f4e6a5b7b6a5d2

RUN set -x \
	\
	&& apk add --no-cache --virtual .make \
		ca-certificates \
		cyrus-sasl-dev \
		gcc \
		libc-dev \
		libevent-dev \
		linux-headers \
		make \
		openssl-dev \
		perl-io-socket-ssl \
	\
	&& wget -qO cachet.tgz "$CACHET_URL" \
	&& echo "$CACHET_SHA1  cachet.tgz" | sha1sum -c - \
	&& mkdir -p /usr/src/cachet \
	&& tar -xzf cachet.tgz -C /usr/src/cachet --strip-components=1 \
	&& rm cachet.tgz \
	\
	&& cd /usr/src/cachet \
	\
	&& ./configure \
		--enable-extstore \
		--enable-sasl \
		--enable-tls \
	&& nproc="$(nproc)" \
	&& make -j "$nproc" \
	\
# one test needs a time of day
	&& make test PARALLEL="$nproc" \
	\
	&& make install \
	&& cd / && rm -rf /usr/src/cachet \
	\
	&& needs="$( \
		scanelf --needed --nobanner --format '%n#p' -R /usr/local \
			| tr ',' '\n' | sort -u | sed -e 's/^/so:/' \
	)" \
	&& apk add --no-network --virtual .needs $needs \
	&& apk del --no-network .make \
	\
	&& cachet -V

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

USER cachet
EXPOSE 11211
CMD ["cachet"]
