# Shape of: github.com/docker-library/postgres (Dockerfile-debian.template)
FROM debian:bookworm-slim

# fixed numbers: files on volumes outlive images
RUN set -eux; \
	groupadd --system --gid 999 larkdb; \
# the home is the directory of the package, which tools look for configuration in
	useradd --system --gid larkdb --uid 999 --home-dir /var/lib/larkdb --shell /bin/bash larkdb; \
	install --verbose --directory --owner larkdb --group larkdb --mode 1777 /var/lib/larkdb

RUN set -ex; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		gnupg \
# pagers are for people in a shell
		less \
	; \
	rm -rf /var/lib/apt/lists/*

# steps down from root without a session
ENV STEPDOWN_VERSION 1.17
RUN set -eux; \
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates wget; \
	rm -rf /var/lib/apt/lists/*; \
	machine="$(dpkg --print-architecture | awk -F- '{ print $NF }')"; \
	wget -nv -O /usr/local/bin/stepdown "https://releases.example.org/stepdown/$STEPDOWN_VERSION/stepdown-$machine"; \
	wget -nv -O /tmp/stepdown.asc "https://releases.example.org/stepdown/$STEPDOWN_VERSION/stepdown-$machine.asc"; \
	GNUPGHOME="$(mktemp -d)"; export GNUPGHOME; \
	gpg --batch --keyserver hkps://keys.example.org --recv-keys ABCDABCDABCDABCDABCDABCDABCDABCDABCDABCD; \
	gpg --batch --verify /tmp/stepdown.asc /usr/local/bin/stepdown; \
	gpgconf --kill all; \
	rm -rf "$GNUPGHOME" /tmp/stepdown.asc; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept > /dev/null; \
	apt-get autoremove --purge -y; \
	chmod 755 /usr/local/bin/stepdown; \
	stepdown nobody true

# text in a database is UTF-8 unless someone asks for less
RUN set -eux; \
	if [ -f /etc/dpkg/dpkg.cfg.d/docker ]; then \
# slim images tell dpkg to leave translations out, and the one needed here with them
		sed -i '/\/usr\/share\/locale/d' /etc/dpkg/dpkg.cfg.d/docker; \
	fi; \
	apt-get update; apt-get install -y --no-install-recommends locales; rm -rf /var/lib/apt/lists/*; \
	localedef --inputfile en_US --charmap UTF-8 en_US.UTF-8
ENV LANG en_US.utf8

RUN mkdir /docker-entrypoint-initdb.d

RUN set -ex; \
# pub   rsa4096 2019-03-01 [SC]
#       ABAD 1DEA ABAD 1DEA ABAD  1DEA ABAD 1DEA ABAD 1DEA
# uid           [ unknown] Packages of Lark (signing)
	signer='ABAD1DEAABAD1DEAABAD1DEAABAD1DEAABAD1DEA'; \
	install -d /usr/local/share/keyrings; \
	export GNUPGHOME="$(mktemp -d)"; \
	gpg --batch --keyserver keys.example.org --recv-keys "$signer"; \
	gpg --batch --armor --export "$signer" > /usr/local/share/keyrings/larkdb.asc; \
	gpgconf --kill all; \
	rm -r "$GNUPGHOME"

ENV LARK_MAJOR 16
ENV PATH $PATH:/usr/lib/larkdb/$LARK_MAJOR/bin

ENV LARK_VERSION 16.4-1.lark120+2

RUN set -ex; \
	\
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; \
	\
	machine="$(dpkg --print-architecture)"; \
	archive="[ signed-by=/usr/local/share/keyrings/larkdb.asc ] http://apt.example.org/lark/ bookworm-lark main $LARK_MAJOR"; \
	case "$machine" in \
		amd64 | arm64 | ppc64el) \
# the archive has binaries
			echo "deb $archive" > /etc/apt/sources.list.d/lark.list; \
			;; \
		*) \
# only sources: they become packages of a local archive, so that apt sorts out the dependencies as ever
			echo "deb-src $archive" > /etc/apt/sources.list.d/lark.list; \
			\
			kept="$(apt-mark showmanual)"; \
			\
			pool="$(mktemp -d)"; \
			cd "$pool"; \
			apt-get update; \
			apt-get install -y --no-install-recommends dpkg-dev; \
			index() { \
				dpkg-scanpackages . > Packages; \
# the index is plain text, which apt was told not to expect
				apt-get -o Acquire::GzipIndexes=false update; \
			}; \
			echo "deb [ trusted=yes ] file://$pool ./" > /etc/apt/sources.list.d/pool.list; \
			index; \
			\
			export DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)"; \
# the common part first, for its helpers
			for source in larkdb-common "larkdb-$LARK_MAJOR=$LARK_VERSION"; do \
				apt-get build-dep -y "$source"; \
				apt-get source --compile "$source"; \
				index; \
			done; \
			\
			apt-mark showmanual | xargs apt-mark auto > /dev/null; \
			apt-mark manual $kept; \
			cd /; \
			;; \
	esac; \
	\
	apt-get update; \
	apt-get install -y --no-install-recommends larkdb-common; \
# no cluster is made at the installation
	sed -i 's/^#*create_cluster .*/create_cluster = false/' /etc/larkdb-common/create.conf; \
	apt-get install -y --no-install-recommends "larkdb-$LARK_MAJOR=$LARK_VERSION"; \
	rm -rf /var/lib/apt/lists/*; \
	\
	if [ -n "${pool:-}" ]; then \
		apt-get autoremove --purge -y; \
		rm -rf "$pool" /etc/apt/sources.list.d/pool.list; \
	fi; \
	\
	find /usr -name '*.pyc' -type f -exec sh -c 'for file; do dpkg -S "$file" > /dev/null 2>&1 || rm "$file"; done' -- '{}' +; \
	\
	larkdb --version

# the sample is where the entrypoint finds it, and listens to everyone
RUN set -eux; \
	dpkg-divert --add --rename --divert /usr/share/larkdb/conf.dist "/usr/share/larkdb/$LARK_MAJOR/lark.conf.sample"; \
	sed -r "s!^#?(listen)\s*=\s*\S+.*!\1 = '*'!" /usr/share/larkdb/conf.dist > /usr/share/larkdb/lark.conf.sample; \
	ln -s ../lark.conf.sample "/usr/share/larkdb/$LARK_MAJOR/"; \
	grep -F "listen = '*'" /usr/share/larkdb/lark.conf.sample

RUN install --verbose --directory --owner larkdb --group larkdb --mode 3777 /run/larkdb

ENV LARKDATA /var/lib/larkdb/data
# for users with any number; the entrypoint narrows it
RUN install --verbose --directory --owner larkdb --group larkdb --mode 1777 "$LARKDATA"
VOLUME /var/lib/larkdb/data

COPY docker-entrypoint.sh docker-ensure-initdb.sh /usr/local/bin/
RUN ln -sT docker-ensure-initdb.sh /usr/local/bin/docker-enforce-initdb.sh
ENTRYPOINT ["docker-entrypoint.sh"]

# An interrupt is the way between patience and violence:
# sessions are ended, transactions rolled back, and
# what is in memory gets written.
#
# Who would rather wait for sessions to end by
# themselves takes SIGTERM.
#
STOPSIGNAL SIGINT
#
# Give it time: `docker stop` waits ten seconds, which a
# large cache to be written may well need more than.

EXPOSE 5432
CMD ["larkdb"]
