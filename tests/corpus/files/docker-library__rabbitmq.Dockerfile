# Shape of: github.com/docker-library/rabbitmq (Dockerfile-ubuntu.template)
# Ubuntu, because people who buy brokers ask for it
FROM ubuntu:24.04 AS build-base

ARG BUILDKIT_SBOM_SCAN_STAGE=true

RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		build-essential \
		ca-certificates \
		gnupg \
		libncurses-dev \
		wget

FROM build-base AS tls-builder

ARG BUILDKIT_SBOM_SCAN_STAGE=true

# Another server can be given when this one has a bad day:
# docker build --build-arg KEYSERVER=keys.example.net .
ARG KEYSERVER=keys.example.org

ENV TLS_VERSION 3.1.7
ENV TLS_SHA256="053a31fa80cf4aebe1068c987d2ef1e44ce418881427c4464751ae800c31d06c"
# the four people who may sign
ENV TLS_SIGNERS="0x8657ABB260F056B1E5190839D9C4D26D0E604491 0xB7C1C14360F353A36862E4D5231C84CDDCC69C45 0xA21FAB74B0088AA361152586B8EF1A6BA9DA2D5C 0xEFC0A467D613CB83C7ED6D30D894E2CE8B3D79F5"

ENV BEAM_VERSION 26.2.5.5
ENV BEAM_SHA256="a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"

# not where the linker looks by itself: other programs must not find them
ENV BEAM_PREFIX="/opt/beam" TLS_PREFIX="/opt/tls"

RUN set -eux; \
	SRC="/usr/local/src/tls-$TLS_VERSION"; \
	CONFIG="$TLS_PREFIX/etc/ssl"; \
	\
	wget --progress dot:giga --output-document "$SRC.tgz.asc" "https://releases.example.org/tls/tls-$TLS_VERSION.tar.gz.asc"; \
	wget --progress dot:giga --output-document "$SRC.tgz" "https://releases.example.org/tls/tls-$TLS_VERSION.tar.gz"; \
	export GNUPGHOME="$(mktemp -d)"; \
	for key in $TLS_SIGNERS; do \
		gpg --batch --keyserver "$KEYSERVER" --recv-keys "$key"; \
	done; \
	gpg --batch --verify "$SRC.tgz.asc" "$SRC.tgz"; \
	gpgconf --kill all; \
	rm -rf "$GNUPGHOME"; \
	echo "$TLS_SHA256 *$SRC.tgz" | sha256sum --check --strict -; \
	install -d "$SRC"; \
	tar --extract --file "$SRC.tgz" --directory "$SRC" --strip-components 1; \
	\
	cd "$SRC"; \
# its own guess of the machine asks the kernel, which is another than the user space on some
	machine="$(dpkg --print-architecture)"; machine="${machine##*-}"; \
# names as in Configurations/10-main.conf
	case "$machine" in \
		amd64) name='linux-x86_64' ;; \
		arm64) name='linux-aarch64' ;; \
# hard float since forever
		armhf) name='linux-armv4'; more='-march=armv7-a+fp' ;; \
		ppc64el) name='linux-ppc64le' ;; \
		s390x) name='linux64-s390x' ;; \
		*) echo >&2 "'$machine'?"; exit 1 ;; \
	esac; \
	MACHINE="$name" \
	RELEASE="6.x" \
	SYSTEM='Linux' \
	BUILD='???' \
	./Configure \
		"$name" \
		enable-fips \
		--prefix="$TLS_PREFIX" \
		--openssldir="$CONFIG" \
		--libdir="$TLS_PREFIX/lib" \
# found by those that link with it, wherever they are started
		-Wl,-rpath="$TLS_PREFIX/lib" \
		${more:-} \
	; \
	make -j "$(getconf _NPROCESSORS_ONLN)"; \
	make install_sw install_ssldirs install_fips; \
	ldconfig; \
	rmdir "$CONFIG/certs" "$CONFIG/private"; \
	ln -sf /etc/ssl/certs /etc/ssl/private "$CONFIG"

# does it start at all?
RUN $TLS_PREFIX/bin/openssl version

FROM tls-builder AS beam-builder

ARG BUILDKIT_SBOM_SCAN_STAGE=true

RUN set -eux; \
	SRC="/usr/local/src/beam-$BEAM_VERSION"; \
	install -d "$SRC"; \
	wget --output-document "$SRC.tgz" "https://releases.example.org/beam/beam_src_$BEAM_VERSION.tar.gz"; \
	echo "$BEAM_SHA256 *$SRC.tgz" | sha256sum --check --strict -; \
	tar --extract --file "$SRC.tgz" --directory "$SRC" --strip-components 1; \
	\
	cd "$SRC"; \
	export TOP="$SRC"; \
	CFLAGS="$(dpkg-buildflags --get CFLAGS) -Wl,-rpath=$TLS_PREFIX/lib"; export CFLAGS; \
	jit=; \
	case "$(dpkg --print-architecture)" in \
		amd64 | arm64) jit='--enable-jit' ;; \
	esac; \
	./configure \
		--prefix="$BEAM_PREFIX" \
		--host="$(dpkg-architecture --query DEB_HOST_GNU_TYPE)" \
		--disable-sctp \
		--disable-silent-rules \
		--enable-builtin-zlib \
		--enable-kernel-poll \
		--with-ssl="$TLS_PREFIX" \
		--without-debugger \
		--without-dialyzer \
		--without-ftp \
		--without-observer \
		--without-odbc \
		--without-snmp \
		--without-wx \
		$jit \
	; \
	make -j "$(getconf _NPROCESSORS_ONLN)" GEN_OPT_FLGS="-O2 -fno-strict-aliasing"; \
	make install; \
	find "$BEAM_PREFIX/lib" -type d \( -name examples -o -name src -o -name include \) -prune -exec rm -rf '{}' +

ENV PATH $BEAM_PREFIX/bin:$PATH
RUN find $BEAM_PREFIX -type f -name 'crypto.so' -exec ldd {} \; | awk '/libcrypto\.so/ { if (!index($3,ENVIRON["TLS_PREFIX"])) exit 1 }'
RUN beam -noshell -eval 'ok = crypto:start(), io:format("~p~n~n~p~n", [crypto:supports(), ssl:versions()]), init:stop().'

FROM ubuntu:24.04

# again: another stage
ENV BEAM_PREFIX="/opt/beam" TLS_PREFIX="/opt/tls"
COPY --from=beam-builder $BEAM_PREFIX $BEAM_PREFIX
COPY --from=tls-builder $TLS_PREFIX $TLS_PREFIX

ENV PATH $BEAM_PREFIX/bin:$TLS_PREFIX/bin:$PATH

ENV HARE_DATA_DIR /var/lib/hare

RUN set -eux; \
	ln -vsf /etc/ssl/certs /etc/ssl/private "$TLS_PREFIX/etc/ssl"; \
	ldconfig; \
	sed -i.ORIG -e "/\.include.*fips/ s!.*!.include $TLS_PREFIX/etc/ssl/fipsmodule.cnf!" \
		-e '/# fips =/s/.*/fips = fips_sect/' "$TLS_PREFIX/etc/ssl/openssl.cnf"; \
	[ "$(command -v openssl)" = "$TLS_PREFIX/bin/openssl" ]; \
	\
	groupadd --gid 999 --system hare; \
	useradd --uid 999 --system --home-dir "$HARE_DATA_DIR" --gid hare hare; \
	for dir in "$HARE_DATA_DIR" /etc/hare /etc/hare/conf.d /tmp/hare-tls /var/log/hare; do \
		install -d -o hare -g hare -m 1777 "$dir"; \
	done; \
	ln -sf "$HARE_DATA_DIR/.cookie" /root/.cookie

ENV HARE_VERSION 4.0.3
ENV HARE_SIGNER="0x0A9AF2115F4687BD29803A206B73A36E6026DFCA"
ENV HARE_HOME=/opt/hare

ENV PATH $HARE_HOME/sbin:$PATH

RUN set -eux; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update; \
	apt-get install --yes --no-install-recommends \
		ca-certificates \
# steps down from root
		gosu \
# so that TZ=… means something
		tzdata \
	; \
	gosu nobody true; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get install --yes --no-install-recommends gnupg wget xz-utils; \
	rm -rf /var/lib/apt/lists/*; \
	\
	HARE_PATH="/usr/local/src/hare-$HARE_VERSION"; \
	wget --output-document "$HARE_PATH.txz" "https://releases.example.org/hare-generic-unix-$HARE_VERSION.tar.xz"; \
	install -d "$HARE_HOME"; \
	tar --extract --file "$HARE_PATH.txz" --directory "$HARE_HOME" --strip-components 1; \
	rm -rf "$HARE_PATH"*; \
	grep -qE '^SYS_PREFIX=\$\{HARE_HOME\}$' "$HARE_HOME/sbin/hare-defaults"; \
	sed -i 's/^SYS_PREFIX=.*$/SYS_PREFIX=/' "$HARE_HOME/sbin/hare-defaults"; \
	chown -R hare:hare "$HARE_HOME"; \
	\
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept; \
	apt-get autoremove --purge -y; \
	\
	[ ! -e "$HARE_DATA_DIR/.cookie" ]; \
	gosu hare harectl list_ciphers; \
	rm "$HARE_DATA_DIR/.cookie"

RUN gosu hare hare-plugins enable --offline hare_metrics

# the path of old
RUN ln -sf /opt/hare/plugins /plugins

ENV HOME $HARE_DATA_DIR
VOLUME $HARE_DATA_DIR

ENV LANG=C.UTF-8 LANGUAGE=C.UTF-8 LC_ALL=C.UTF-8

COPY --chown=hare:hare 10-defaults.conf 20-management.conf /etc/hare/conf.d/
COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 4369 5671 5672 15691 15692 25672
CMD ["hare-server"]
