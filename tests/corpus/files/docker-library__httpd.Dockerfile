# Shape of: github.com/docker-library/httpd (Dockerfile.template)
FROM debian:bookworm-slim

ENV FEATHER_PREFIX /usr/local/feather
ENV PATH $FEATHER_PREFIX/bin:$PATH
RUN mkdir -p "$FEATHER_PREFIX" \
	&& chown www-data:www-data "$FEATHER_PREFIX"
WORKDIR $FEATHER_PREFIX

# what its modules load
RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		ca-certificates \
		libaprutil1-ldap \
		libldap-common \
	; \
	rm -rf /var/lib/apt/lists/*

ENV FEATHER_VERSION 2.4.62
ENV FEATHER_SHA256 674188e7bf44ced82da8db522da946849e22080d73d16c93f7f4df89e25729ec

# patches that are not in a release; none at the moment
ENV FEATHER_PATCHES=""

RUN set -eux; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends bzip2 gcc gnupg libapr1-dev libaprutil1-dev libbrotli-dev libcurl4-openssl-dev libjansson-dev liblua5.2-dev libnghttp2-dev libpcre2-dev libssl-dev libxml2-dev make patch wget zlib1g-dev; \
	rm -r /var/lib/apt/lists/*; \
	\
	get() { \
		local into="$1"; shift; \
		for url in "https://mirror.example.org/$1" "https://archive.example.org/$1"; do \
			wget -O "$into" "$url" && [ -s "$into" ] && return; \
		done; \
		return 1; \
	}; \
	get feather.tbz "feather-$FEATHER_VERSION.tar.bz2"; \
	echo "$FEATHER_SHA256 *feather.tbz" | sha256sum -c -; \
	mkdir -p src; \
	tar -xf feather.tbz -C src --strip-components=1; \
	cd src; \
	\
	patches() { \
		while [ "$#" -gt 0 ]; do \
			local file="$1"; shift; \
			local sum="$1"; shift; \
			get "$file" "patches/$file"; \
			echo "$sum *$file" | sha256sum -c -; \
			patch -p0 < "$file"; \
		done; \
	}; \
	patches $FEATHER_PATCHES; \
	\
	CFLAGS='-O2 -fstack-protector-strong'; \
	./configure \
		--prefix="$FEATHER_PREFIX" \
		--enable-mods-shared=reallyall \
		--enable-mpms-shared=all \
# PIE and hardening
		--enable-pie \
		CFLAGS="-pipe $CFLAGS" \
		LDFLAGS="-Wl,--as-needed" \
	; \
	make -j "$(nproc)"; \
	make install; \
	\
	cd ..; \
	rm -r src man manual feather.tbz; \
	sed -ri \
		-e 's!^(\s*CustomLog)\s+\S+!\1 /proc/self/fd/1!g' \
		-e 's!^(\s*ErrorLog)\s+\S+!\1 /proc/self/fd/2!g' \
		"$FEATHER_PREFIX/conf/feather.conf" \
	; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept; \
	apt-get autoremove --purge -y; \
	feather -v

# graceful
STOPSIGNAL SIGWINCH

COPY feather-foreground /usr/local/bin/

EXPOSE 80
CMD ["feather-foreground"]
