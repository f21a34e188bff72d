# Shape of: github.com/apache/superset (Dockerfile)
#
# Licensed as the project is; see LICENSE.
#

######################################################################
# The pages
######################################################################
ARG PY_VER=3.11-slim-bookworm

# where the builder says nothing of itself
ARG BUILDPLATFORM=${BUILDPLATFORM:-amd64}

# other languages than English
ARG BUILD_TRANSLATIONS="false"

FROM --platform=${BUILDPLATFORM} node:20-bookworm-slim AS charts-node-ci
ARG BUILD_TRANSLATIONS
ENV BUILD_TRANSLATIONS=${BUILD_TRANSLATIONS}
ARG DEV_MODE="false"
ENV DEV_MODE=${DEV_MODE}

COPY docker/ /app/docker/
# another script of package.json
ARG NPM_BUILD_CMD="build"

RUN /app/docker/apt-install.sh build-essential python3 zstd

ENV BUILD_CMD=${NPM_BUILD_CMD} \
    PUPPETEER_SKIP_CHROMIUM_DOWNLOAD=true

# says so when there is too little memory
RUN /app/docker/frontend-mem-nag.sh

WORKDIR /app/frontend

# copied from later, also when empty
RUN mkdir -p /app/charts/static/assets \
             /app/charts/translations

# The two lists are mounted: a change of
# any other file must not
# start the installation
# again
RUN --mount=type=bind,source=./frontend/package.json,target=./package.json \
    --mount=type=bind,source=./frontend/package-lock.json,target=./package-lock.json \
    --mount=type=cache,target=/root/.cache \
    --mount=type=cache,target=/root/.npm \
    if [ "$DEV_MODE" = "false" ]; then \
        npm ci; \
    else \
        echo "Skipping 'npm ci' in dev mode"; \
    fi

COPY frontend /app/frontend

FROM charts-node-ci AS charts-node
RUN if [ "$DEV_MODE" = "false" ]; then npm run ${BUILD_CMD}; fi

COPY charts/translations /app/charts/translations

RUN if [ "$BUILD_TRANSLATIONS" = "true" ]; then \
        npm run build-translation; \
    fi; \
    rm -rf /app/charts/translations/*/*/*.po; \
    rm -rf /app/charts/translations/*/*/*.mo;

######################################################################
# Base python layer
######################################################################
FROM python:${PY_VER} AS python-base

ARG CHARTS_HOME="/app/charts_home"
ENV CHARTS_HOME=${CHARTS_HOME}

RUN mkdir -p ${CHARTS_HOME}
RUN useradd --user-group -d ${CHARTS_HOME} -m --no-log-init --shell /bin/bash charts \
    && chmod -R 1777 ${CHARTS_HOME} \
    && chown -R charts:charts ${CHARTS_HOME}

COPY --chmod=755 docker/*.sh /app/docker/

RUN pip install --no-cache-dir --upgrade uv
RUN uv venv /app/.venv
ENV PATH="/app/.venv/bin:${PATH}"

######################################################################
# Python translation compiler layer
######################################################################
FROM python-base AS python-translation-compiler

ARG BUILD_TRANSLATIONS
ENV BUILD_TRANSLATIONS=${BUILD_TRANSLATIONS}

COPY requirements/translations.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    . /app/.venv/bin/activate && /app/docker/pip-install.sh --requires-build-essential -r requirements/translations.txt

COPY charts/translations/ /app/translations_mo/
RUN if [ "$BUILD_TRANSLATIONS" = "true" ]; then \
        pybabel compile -d /app/translations_mo | true; \
    fi; \
    rm -f /app/translations_mo/*/*/*.po

######################################################################
# Python APP common layer
######################################################################
FROM python-base AS python-common

ENV CHARTS_HOME="/app/charts_home" \
    HOME="/app/charts_home" \
    CHARTS_ENV="production" \
    FLASK_APP="charts.app:create_app()" \
    PYTHONPATH="/app/pythonpath" \
    CHARTS_PORT="8088"

COPY --chmod=755 docker/entrypoints /app/docker/entrypoints

WORKDIR /app
RUN mkdir -p \
      ${PYTHONPATH} \
      charts/static \
      requirements \
      frontend \
    && touch charts/static/version_info.json

# browsers, for pictures of charts
ARG INCLUDE_CHROMIUM="true"
ARG INCLUDE_FIREFOX="false"
RUN --mount=type=cache,target=${CHARTS_HOME}/.cache/uv \
    if [ "$INCLUDE_CHROMIUM" = "true" ] || [ "$INCLUDE_FIREFOX" = "true" ]; then \
        uv pip install playwright && \
        playwright install-deps && \
        if [ "$INCLUDE_CHROMIUM" = "true" ]; then playwright install chromium; fi && \
        if [ "$INCLUDE_FIREFOX" = "true" ]; then playwright install firefox; fi; \
    fi

COPY pyproject.toml setup.py MANIFEST.in README.md ./
COPY frontend/package.json frontend/
COPY scripts/check-env.py scripts/

# where it was before
COPY --chmod=755 ./docker/entrypoints/run-server.sh /usr/bin/

RUN /app/docker/apt-install.sh \
      curl \
      libecpg-dev \
      libpq-dev \
      libsasl2-dev

COPY --from=charts-node /app/charts/static/assets charts/static/assets

# both halves of the translations
COPY charts/translations charts/translations
COPY --from=charts-node /app/charts/translations charts/translations
COPY --from=python-translation-compiler /app/translations_mo charts/translations

HEALTHCHECK CMD /app/docker/docker-healthcheck.sh
CMD ["/app/docker/entrypoints/run-server.sh"]
EXPOSE ${CHARTS_PORT}

######################################################################
# Final lean image...
######################################################################
FROM python-common AS lean

COPY requirements/base.txt requirements/
RUN --mount=type=cache,target=${CHARTS_HOME}/.cache/uv \
    /app/docker/pip-install.sh --requires-build-essential -r requirements/base.txt
RUN --mount=type=cache,target=${CHARTS_HOME}/.cache/uv \
    uv pip install .
RUN python -m compileall /app/charts

USER charts

######################################################################
# Dev image...
######################################################################
FROM python-common AS dev

RUN /app/docker/apt-install.sh \
    git \
    pkg-config \
    default-libmysqlclient-dev

COPY requirements/*.txt requirements/
RUN --mount=type=cache,target=${CHARTS_HOME}/.cache/uv \
    /app/docker/pip-install.sh --requires-build-essential -r requirements/development.txt
RUN --mount=type=cache,target=${CHARTS_HOME}/.cache/uv \
    uv pip install .

RUN uv pip install .[postgres]
RUN python -m compileall /app/charts

USER charts

######################################################################
# CI image...
######################################################################
FROM lean AS ci
USER root
RUN uv pip install .[postgres]
USER charts
CMD ["/app/docker/entrypoints/docker-ci.sh"]

######################################################################
# For demonstrations
######################################################################
FROM lean AS showtime
USER root
RUN uv pip install .[duckdb]
USER charts
CMD ["/app/docker/entrypoints/docker-ci.sh"]
