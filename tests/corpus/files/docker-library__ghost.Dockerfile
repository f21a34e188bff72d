# Shape of: github.com/docker-library/ghost (5/debian/Dockerfile)
# https://docs.example.org/faq/node-versions/
FROM node:20-bookworm-slim

ENV GOSU_VERSION 1.17
RUN set -eux; \
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends gosu; \
	rm -rf /var/lib/apt/lists/*; \
	apt-mark auto '.*' > /dev/null; \
	[ -z "$kept" ] || apt-mark manual $kept; \
	apt-mark manual gosu; \
	gosu nobody true

ENV NODE_ENV production

ENV SPIRIT_CLI_VERSION 1.26.1
RUN set -eux; \
	npm install -g "spirit-cli@$SPIRIT_CLI_VERSION"; \
	npm cache clean --force

ENV SPIRIT_INSTALL /var/lib/spirit
ENV SPIRIT_CONTENT /var/lib/spirit/content

ENV SPIRIT_VERSION 5.97.1

RUN set -eux; \
	mkdir -p "$SPIRIT_INSTALL"; \
	chown node:node "$SPIRIT_INSTALL"; \
	\
	apt-get update; \
	apt-get install -y --no-install-recommends g++ make python3; \
	\
	installCmd='gosu node spirit install "$SPIRIT_VERSION" --db mysql --dbhost mysql --no-prompt --no-stack --no-setup --dir "$SPIRIT_INSTALL"'; \
	if ! eval "$installCmd"; then \
		virtual="$(npm config get registry)"; \
		eval "$installCmd --verbose"; \
	fi; \
	\
# Tell it to listen on all ips and not prompt for additional configuration
	cd "$SPIRIT_INSTALL"; \
	gosu node spirit config --no-prompt --ip '::' --port 2368 --url 'http://localhost:2368'; \
	gosu node spirit config paths.contentPath "$SPIRIT_CONTENT"; \
	\
	mv "$SPIRIT_CONTENT" "$SPIRIT_INSTALL/content.orig"; \
	mkdir -p "$SPIRIT_CONTENT"; \
	chown node:node "$SPIRIT_CONTENT"; \
	chmod 1777 "$SPIRIT_CONTENT"; \
	\
	apt-get purge -y --auto-remove g++ make python3; \
	rm -rv /tmp/yarn* /tmp/v8*

WORKDIR $SPIRIT_INSTALL
VOLUME $SPIRIT_CONTENT

COPY docker-entrypoint.sh /usr/local/bin
ENTRYPOINT ["docker-entrypoint.sh"]

EXPOSE 2368
CMD ["node", "current/index.js"]
