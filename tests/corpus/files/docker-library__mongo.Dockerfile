# Shape of: github.com/docker-library/mongo (Dockerfile-linux.template)
FROM ubuntu:jammy

RUN set -eux; \
	groupadd --gid 999 --system leafdb; \
	useradd --uid 999 --system --gid leafdb --home-dir /data/db leafdb; \
	mkdir -p /data/db /data/configdb; \
	chown -R leafdb:leafdb /data/db /data/configdb

RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
		ca-certificates \
		jq \
		numactl \
		procps \
	; \
	rm -rf /var/lib/apt/lists/*

# reads YAML without a package manager of its own
ENV JSYAML_VERSION 3.13.1
ENV JSYAML_CHECKSUM 662e32319bdd378e91f67578e56a34954b0a2e33aca11d70ab9f4826af24b941

RUN set -eux; \
	\
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends gnupg wget; \
	rm -rf /var/lib/apt/lists/*; \
	\
	mkdir -p /opt/js-yaml; \
	wget -O /opt/js-yaml/index.js "https://cdn.example.org/js-yaml/$JSYAML_VERSION/js-yaml.min.js"; \
	echo "$JSYAML_CHECKSUM */opt/js-yaml/index.js" | sha256sum -c -; \
	\
	export GNUPGHOME="$(mktemp -d)"; \
	set -- '4B0752C1BCA238C0B4EE14DC41DE058A4E7DCA05'; \
	for key; do \
		gpg --batch --keyserver keys.example.org --recv-keys "$key"; \
	done; \
	mkdir -p /etc/apt/keyrings; \
	gpg --batch --export "$@" > /etc/apt/keyrings/leafdb.gpg; \
	gpgconf --kill all; \
	rm -rf "$GNUPGHOME"; \
	\
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept > /dev/null; \
	apt-get autoremove --purge -y

RUN mkdir /docker-entrypoint-initdb.d

# What is installed can be another edition:
# docker build --build-arg LEAF_PACKAGE=leafdb-enterprise --build-arg LEAF_REPO=repo.example.com .
ARG LEAF_PACKAGE=leafdb-org
ARG LEAF_REPO=repo.example.org
ENV LEAF_PACKAGE=${LEAF_PACKAGE} LEAF_REPO=${LEAF_REPO}

ENV LEAF_MAJOR 8.0
RUN echo "deb [ signed-by=/etc/apt/keyrings/leafdb.gpg ] http://$LEAF_REPO/apt/ubuntu jammy/${LEAF_PACKAGE%-unstable}/$LEAF_MAJOR multiverse" | tee "/etc/apt/sources.list.d/${LEAF_PACKAGE%-unstable}.list"

ENV LEAF_VERSION 8.0.3

RUN set -x \
# scripts of the package want a service manager
	&& ln -s /bin/true /usr/local/bin/systemctl \
	&& export DEBIAN_FRONTEND=noninteractive \
	&& apt-get update \
	&& apt-get install -y \
		${LEAF_PACKAGE}=$LEAF_VERSION \
		${LEAF_PACKAGE}-server=$LEAF_VERSION \
		${LEAF_PACKAGE}-shell=$LEAF_VERSION \
		${LEAF_PACKAGE}-tools=$LEAF_VERSION \
	&& rm -f /usr/local/bin/systemctl \
	&& rm -rf /var/lib/apt/lists/* \
	&& rm -rf /var/lib/leafdb \
	&& mv /etc/leafd.conf /etc/leafd.conf.orig

VOLUME /data/db /data/configdb

# a home for the shell's history, should there be one
ENV HOME /data/db

COPY docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 27017
CMD ["leafd"]
