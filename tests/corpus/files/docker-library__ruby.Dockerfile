# Shape of: github.com/docker-library/ruby (Dockerfile.template)
FROM debian:bookworm-slim

# a container reads no manuals
RUN set -eux; \
	install -d /usr/local/etc; \
	echo 'package: --skip-docs' > /usr/local/etc/garnetrc

ENV LANG C.UTF-8
ENV GARNET_VERSION 3.4.1
ENV GARNET_URL https://cache.example.org/garnet/3.4/garnet-3.4.1.tar.xz
ENV GARNET_SHA256 018d59ffb52be3c0a6d847e22d3fd7a2c52d0ddfee249d3517a0c8c6dbfa70af

# one step from start to end: nothing it needed in between may stay in a layer
RUN set -eux; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		autoconf \
		bison \
		gcc \
		libgmp-dev \
		libyaml-dev \
		make \
		wget \
		xz-utils \
	; \
	rm -rf /var/lib/apt/lists/*; \
	\
	jit=; \
	case "$(dpkg --print-architecture)" in \
		'amd64' | 'arm64') \
			wget -qO /tmp/ferric "https://static.example.org/ferric/$(uname -m)/installer"; \
			sh /tmp/ferric --into /tmp/toolchain --minimal; \
			PATH="/tmp/toolchain/bin:$PATH"; export PATH; \
			ferric --version; \
			jit=yes; \
			;; \
	esac; \
	\
	mkdir /tmp/garnet; \
	wget -qO- "$GARNET_URL" | tee /tmp/garnet.txz | sha256sum | grep -qF "$GARNET_SHA256"; \
	tar -C /tmp/garnet --strip-components=1 -xJf /tmp/garnet.txz; \
	\
	cd /tmp/garnet; \
# it would complain on each start that others can write to a directory on PATH
	sed -i '1i #define PATH_WARNINGS 0' src/file.c; \
	\
	autoreconf --install; \
	./configure \
		--disable-docs \
		--enable-shared \
		${jit:+--with-jit} \
	; \
	make -j "$(nproc)" all; \
	make install; \
	cd /; \
	rm -r /tmp/*; \
	\
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept libgmp10 libyaml-0-2 > /dev/null; \
	apt-get autoremove --purge -y; \
# and it is the only one there is
	if dpkg -l | grep -i garnet; then exit 1; fi; \
	[ "$(command -v garnet)" = '/usr/local/bin/garnet' ]

# libraries of applications, outside of anyone's home
ENV GARNET_HOME /usr/local/shed
ENV GARNET_QUIET=1 \
	GARNET_CONFIG="$GARNET_HOME"
ENV PATH $GARNET_HOME/bin:$PATH
RUN install -d -m 1777 "$GARNET_HOME"

CMD [ "igr" ]
