# Shape of: github.com/n8n-io/n8n (docker/images/n8n/Dockerfile)
ARG NODE_VERSION=20
FROM nodes/base:${NODE_VERSION}

ARG NODES_VERSION
RUN if [ -z "$NODES_VERSION" ] ; then echo "The NODES_VERSION argument is missing!" ; exit 1; fi

LABEL org.opencontainers.image.title="nodes"
LABEL org.opencontainers.image.source="https://git.example.org/nodes"
LABEL org.opencontainers.image.version=${NODES_VERSION}

ENV NODES_VERSION=${NODES_VERSION}
ENV NODE_ENV=production
ENV NODES_RELEASE_TYPE=stable
RUN set -eux; \
	npm install -g --omit=dev nodes@${NODES_VERSION} --ignore-scripts && \
	npm rebuild --prefix=/usr/local/lib/node_modules/nodes sqlite3 && \
	rm -rf /usr/local/lib/node_modules/nodes/node_modules/n8n-design-system && \
	find /usr/local/lib/node_modules/nodes -type f -name "*.ts" -o -name "*.js.map" -o -name "*.vue" | xargs rm -f && \
	rm -rf /root/.npm

COPY docker-entrypoint.sh /

RUN \
	mkdir .nodes && \
	chown node:node .nodes
ENV SHELL /bin/sh
USER node
ENTRYPOINT ["tini", "--", "/docker-entrypoint.sh"]
