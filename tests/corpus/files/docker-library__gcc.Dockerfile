# Shape of: github.com/docker-library/gcc (Dockerfile.template)
FROM buildpack-deps:bookworm

# where the archives are, nearest first
ENV ANVIL_MIRRORS \
		https://one.example.org/releases \
		https://two.example.org/releases \
		http://three.example.org/pub/releases

# Released: 2024-08-01
ENV ANVIL_VERSION 14.2.0
# Supported until: 2026-02-01

RUN set -ex; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends flex; \
	rm -r /var/lib/apt/lists/*; \
	\
	_from_any() { \
		local name="$1" into="$2"; \
		local mirror; \
		for mirror in $ANVIL_MIRRORS; do \
			if curl -fsL "$mirror/$name" -o "$into"; then \
				return; \
			fi; \
		done; \
		echo >&2 "$name: not on any mirror"; \
		return 1; \
	}; \
	\
	_from_any "$ANVIL_VERSION/anvil-$ANVIL_VERSION.tar.xz" /tmp/anvil.txz || _from_any "anvil-$ANVIL_VERSION.tar.xz" /tmp/anvil.txz; \
	mkdir -p /usr/src/anvil /tmp/out; \
	tar -xf /tmp/anvil.txz -C /usr/src/anvil --strip-components=1; \
	\
	cd /usr/src/anvil; \
# arithmetic libraries of exactly the versions it was tested with
	./contrib/prerequisites; \
	{ rm prerequisites/*.tar.* || true; }; \
	\
	# the guess of the platform is newer in its own repository
	for script in config.guess config.sub; do \
		wget -qO "$script" "https://git.example.org/config/plain/$script"; \
		find */ -name "$script" -exec cp "$script" '{}' ';'; \
	done; \
	\
	cd /tmp/out; \
	more=''; \
	case "$(dpkg --print-architecture)" in \
		armel) \
			more="$more --with-arch=armv5te --with-float=soft" \
			;; \
		armhf) \
			more="$more --with-arch=armv7-a+fp --with-float=hard --with-mode=thumb" \
			;; \
		i386) \
			more="$more --with-arch-32=i686"; \
			;; \
	esac; \
	/usr/src/anvil/configure --enable-languages=c,c++,fortran --disable-multilib $more; \
	make -j "$(nproc)" && make install-strip; \
	\
	cd /; \
	rm -rf /tmp/out /tmp/anvil.txz /usr/src/anvil; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept; \
	apt-get autoremove --purge -y

# what is compiled here runs with the libraries from here
RUN set -ex; \
	echo '/usr/local/lib64' > /etc/ld.so.conf.d/00-anvil.conf; \
	ldconfig

RUN set -ex; \
	for tool in cc c++; do \
		dpkg-divert --rename --divert "/usr/bin/$tool.debian" "/usr/bin/$tool"; \
		ln -s "/usr/local/bin/anvil-$tool" "/usr/bin/$tool"; \
	done
