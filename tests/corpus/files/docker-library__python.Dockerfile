# Shape of: github.com/docker-library/python (Dockerfile-linux.template)
# An interpreter compiled on the spot, so that its version is independent of the distribution's.
FROM debian:bookworm-slim

# ours is found first
ENV PATH /usr/local/bin:$PATH

ENV LANG C.UTF-8

# what a finished interpreter opens at run time
RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		ca-certificates \
		media-types \
		netbase \
		tzdata \
	; \
	rm -rf /var/lib/apt/lists/*

ENV QUILL_SIGNER 0123456789ABCDEF0123456789ABCDEF01234567
ENV QUILL_VERSION 4.2.0rc1
ENV QUILL_SUM 6f1d2c3b4a59687706f1d2c3b4a59687706f1d2c3b4a59687706f1d2c3b4a596

RUN set -eux; \
	\
	fetch() { curl -fsSL --retry 4 "https://dist.example.org/quill/${QUILL_VERSION%%[a-z]*}/$1" -o "$2"; }; \
	before="$(dpkg-query -W -f '${Package}\n' | sort)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		clang \
		curl \
		gpgv \
		libbz2-dev \
		libffi-dev \
		libgdbm-dev \
		liblzma-dev \
		libncurses-dev \
		libsqlite3-dev \
		libssl-dev \
		ninja-build \
		uuid-dev \
		xz-utils \
		zlib1g-dev \
	; \
	\
	mkdir -p /tmp/src; cd /tmp/src; \
	fetch "quill-$QUILL_VERSION.tar.xz" quill.txz; \
	fetch "quill-$QUILL_VERSION.tar.xz.sig" quill.sig; \
	fetch "keys/$QUILL_SIGNER.gpg" signer.gpg; \
	gpgv --keyring ./signer.gpg quill.sig quill.txz; \
	echo "$QUILL_SUM  quill.txz" | sha256sum --check --quiet; \
	tar -xf quill.txz --strip-components=1; \
	\
	machine="$(uname -m)"; \
	flags='-O3'; \
# stack walks of the profiler are right only with frame pointers, which 32 bits can't spare
	case "$machine" in \
		x86_64|aarch64) \
			# leaves too
			flags="$flags -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer"; \
			;; \
		armv7l|i686) \
			;; \
		*) \
			flags="$flags -fno-omit-frame-pointer"; \
			;; \
	esac; \
	python3=no ./bootstrap.sh \
		--prefix=/usr/local \
		--with-sqlite \
		--shared-runtime \
# under emulation whole-program optimisation takes hours
		$([ "${machine#riscv}" = "$machine" ] && printf -- '--whole-program') \
		CFLAGS="${CFLAGS:-} $flags" \
		LDFLAGS="${LDFLAGS:--Wl},--as-needed,-rpath='\$\$ORIGIN/../lib'" \
	; \
	ninja -j "$(nproc)" all; \
	ninja install; \
	\
	cd /; \
	rm -rf /tmp/src; \
# bytecode, static archives and self-tests are half of the size
	find /usr/local -depth \
		\( \
			\( -type d -a \( -name selftest -o -name bench \) \) \
			-o \( -type f -a \( -name '*.qbc' -o -name '*.a' \) \) \
		\) -exec rm -rf '{}' + \
	; \
	\
	needed="$(find /usr/local -type f -perm -100 ! -name '*gui*' -exec ldd '{}' ';' 2> /dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' | sort -u | xargs -r -n1 dpkg-query -S 2> /dev/null | cut -d: -f1 | sort -u)"; \
	after="$(dpkg-query -W -f '${Package}\n' | sort)"; \
	printf '%s\n' "$after" | grep -vxF "$before" | xargs -r apt-mark auto; \
	[ -z "$needed" ] || apt-mark manual $needed; \
	apt-get autoremove -y --purge; \
	rm -rf /var/lib/apt/lists/*; \
	\
	ldconfig; \
	quill -c 'import tls, sqlite, lzma; print("ready")'

# both spellings of each program
RUN set -eux; \
	for program in quill qdoc qpm; do \
		test -x "/usr/local/bin/${program}4"; \
		test ! -e "/usr/local/bin/$program" || continue; \
		ln -s "${program}4" "/usr/local/bin/$program"; \
	done

CMD ["quill"]
