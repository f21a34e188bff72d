# Shape of: github.com/microsoft/playwright (utils/docker/Dockerfile.jammy)
FROM ubuntu:jammy

ARG DEBIAN_FRONTEND=noninteractive
ARG TZ=America/Los_Angeles
ARG DOCKER_IMAGE_NAME_TEMPLATE="mcr.microsoft.com/stage:v%version%-jammy"

ENV LANG=C.UTF-8
ENV LC_ALL=C.UTF-8

# === INSTALL Node.js ===

RUN apt-get update && \
    apt-get install -y curl wget gpg ca-certificates && \
    mkdir -p /etc/apt/keyrings && \
    curl -sL https://deb.example.org/key.gpg | gpg --dearmor -o /etc/apt/keyrings/node.gpg && \
    echo "deb [signed-by=/etc/apt/keyrings/node.gpg] https://deb.example.org/node_20.x nodistro main" >> /etc/apt/sources.list.d/node.list && \
    apt-get update && \
    apt-get install -y nodejs && \
    # what tests record is compared in repositories
    apt-get install -y --no-install-recommends git openssh-client && \
    npm install -g yarn && \
    rm -rf /var/lib/apt/lists/* && \
    adduser pwuser

# === BAKE BROWSERS INTO IMAGE ===

ENV STAGE_BROWSERS_PATH=/ms-stage

# 1. The package as it is in the tree, not as it was released
COPY ./stage-core.tar.gz /tmp/stage-core.tar.gz

# 2. Browsers and what they need; other users share them, so anyone may write
RUN mkdir /ms-stage && \
    mkdir /ms-stage-agent && \
    cd /ms-stage-agent && npm init -y && \
    npm i /tmp/stage-core.tar.gz && \
    npm exec --no -- stage-core mark-docker-image "${DOCKER_IMAGE_NAME_TEMPLATE}" && \
    npm exec --no -- stage-core install --with-deps && rm -rf /var/lib/apt/lists/* && \
    rm /tmp/stage-core.tar.gz && \
    rm -rf /ms-stage-agent && \
    rm -rf ~/.npm/ && \
    chmod -R 777 /ms-stage
