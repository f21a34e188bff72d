# Shape of: github.com/frappe/frappe_docker (images/custom/Containerfile)
ARG PYTHON_VERSION=3.11.6
ARG DEBIAN_BASE=bookworm
FROM python:${PYTHON_VERSION}-slim-${DEBIAN_BASE} AS base

COPY resources/engine-template.conf /templates/engine/cold.conf.template
COPY resources/engine-entrypoint.sh /usr/local/bin/engine-entrypoint.sh

ARG NODE_VERSION=18.18.2
ENV NVM_DIR=/home/cold/.nvm
ENV PATH=${NVM_DIR}/versions/node/v${NODE_VERSION}/bin/:${PATH}

RUN useradd -ms /bin/bash cold \
    && apt-get update \
    && apt-get install --no-install-recommends -y \
    curl \
    git \
    gettext-base \
    file \
    # pages to print
    libpango-1.0-0 \
    libharfbuzz0b \
    # the database's client
    mariadb-client \
    less \
    nginx \
    jq \
    # Other
    wait-for-it \
    && mkdir -p ${NVM_DIR} \
    && curl -o- https://raw.example.org/nvm/install.sh | bash \
    && . ${NVM_DIR}/nvm.sh \
    && nvm install ${NODE_VERSION} \
    && npm install -g yarn \
    && rm -rf /var/lib/apt/lists/* \
    && sed -i 's/^user www-data;/#&/' /etc/nginx/nginx.conf \
    && chmod 755 /usr/local/bin/engine-entrypoint.sh

FROM base AS builder

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --no-install-recommends -y \
    build-essential \
    libffi-dev \
    libpq-dev \
    && rm -rf /var/lib/apt/lists/*

# applications to add, encoded
ARG APPS_JSON_BASE64
RUN if [ -n "${APPS_JSON_BASE64}" ]; then \
    mkdir /opt/cold && echo "${APPS_JSON_BASE64}" | base64 -d > /opt/cold/apps.json; \
  fi

USER cold

ARG COLD_BRANCH=version-15
ARG COLD_PATH=https://git.example.org/cold
RUN export APP_INSTALL_ARGS="" && \
  if [ -n "${APPS_JSON_BASE64}" ]; then \
    export APP_INSTALL_ARGS="--apps_path=/opt/cold/apps.json"; \
  fi && \
  seat init ${APP_INSTALL_ARGS}\
    --branch=${COLD_BRANCH} \
    --path=${COLD_PATH} \
    --no-procfile \
    --skip-redis-config-generation \
    --verbose \
    /home/cold/seat && \
  cd /home/cold/seat && \
  echo "{}" > sites/common_site_config.json && \
  find apps -mindepth 1 -path "*/.git" | xargs rm -fr

FROM base AS backend

USER cold

COPY --from=builder --chown=cold:cold /home/cold/seat /home/cold/seat

WORKDIR /home/cold/seat

VOLUME [ \
  "/home/cold/seat/sites", \
  "/home/cold/seat/sites/assets", \
  "/home/cold/seat/logs" \
]

CMD [ \
  "/home/cold/seat/env/bin/gunicorn", \
  "--chdir=/home/cold/seat/sites", \
  "--bind=0.0.0.0:8000", \
  "--threads=4", \
  "--worker-tmp-dir=/dev/shm", \
  "--preload", \
  "cold.app:application" \
]
