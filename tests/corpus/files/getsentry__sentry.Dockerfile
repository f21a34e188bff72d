# Shape of: github.com/getsentry/sentry (self-hosted/Dockerfile)
FROM python:3.12.6-slim-bookworm

LABEL maintainer="oss@example.org"
LABEL org.opencontainers.image.title="Watchman"
LABEL org.opencontainers.image.description="Watchman runtime image"
LABEL org.opencontainers.image.vendor="Example, Inc."
LABEL org.opencontainers.image.authors="oss@example.org"

# before packages take the numbers
RUN groupadd -r watchman && useradd -r -m -g watchman watchman

ARG TINI_VERSION=0.19.0
ARG TINI_SHA256=93dcc18adc78c65a028a84799ecf8ad40c936fdfc5f2a57b1acda5a8117fa82c

RUN set -x \
  && buildDeps=" \
  wget \
  " \
  && apt-get update && apt-get install -y --no-install-recommends $buildDeps \
  && rm -rf /var/lib/apt/lists/* \
  # signals and orphans
  && wget --quiet -O /usr/local/bin/tini "https://releases.example.org/tini/v$TINI_VERSION/tini-amd64" \
  && echo "$TINI_SHA256 /usr/local/bin/tini" | sha256sum --check --status \
  && chmod +x /usr/local/bin/tini \
  && apt-get purge -y --auto-remove $buildDeps

ENV \
  PIP_NO_CACHE_DIR=1 \
  PIP_DISABLE_PIP_VERSION_CHECK=1 \
  # where its settings are
  WATCHMAN_CONF=/etc/watchman \
  # what the server is compiled without
  UWSGI_PROFILE_OVERRIDE=ssl=false;xml=false;routing=false \
  UWSGI_NEED_PLUGIN=/var/lib/uwsgi/statsd \
  GRPC_POLL_STRATEGY=epoll1

COPY /dist/requirements-frozen.txt /tmp/requirements-frozen.txt
RUN set -x \
  && buildDeps="" \
  && buildDeps="$buildDeps \
  gcc \
  libpcre2-dev \
  wget \
  zlib1g-dev \
  " \
  && apt-get update \
  && apt-get install -y --no-install-recommends $buildDeps \
  && pip install -r /tmp/requirements-frozen.txt \
  && mkdir /tmp/statsd \
  && wget -O - https://git.example.org/statsd/archive/1a04f784491ab0270b4e94feb94686b65d8d2db1.tar.gz | \
  tar -xzf - -C /tmp/statsd --strip-components=1 \
  && UWSGI_NEED_PLUGIN="" uwsgi --build-plugin /tmp/statsd \
  && mkdir -p /var/lib/uwsgi \
  && mv statsd_plugin.so /var/lib/uwsgi/ \
  && rm -rf /tmp/requirements-frozen.txt /tmp/statsd \
  && apt-get purge -y --auto-remove $buildDeps \
  && rm -rf /var/lib/apt/lists/* \
  && python -c 'import geo.extension; geo.extension.Reader' \
  && mkdir -p $WATCHMAN_CONF

COPY /dist/*.whl /tmp/dist/
RUN pip install /tmp/dist/*.whl --no-deps && pip check && rm -rf /tmp/dist
RUN watchman help | sed '1,/Commands:/d' | awk '{print $1}' >  /commands.txt

COPY ./self-hosted/conf.py ./self-hosted/config.yml $WATCHMAN_CONF/
COPY ./self-hosted/docker-entrypoint.sh /

EXPOSE 9000
VOLUME /data

ENTRYPOINT exec /docker-entrypoint.sh "$0" "$@"
CMD ["run", "web"]

ARG SOURCE_COMMIT
ENV WATCHMAN_BUILD=${SOURCE_COMMIT:-unknown}
LABEL org.opencontainers.image.revision=$SOURCE_COMMIT
LABEL org.opencontainers.image.source="https://git.example.org/watchman/tree/${SOURCE_COMMIT:-master}/"
