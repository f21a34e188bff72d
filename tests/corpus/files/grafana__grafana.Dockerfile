# syntax=docker/dockerfile:1
# Shape of: github.com/grafana/grafana (Dockerfile)

# formatters of editors break the long steps:
# switch them off

ARG BASE_IMAGE=alpine:3.20
ARG JS_IMAGE=node:20-alpine
ARG JS_PLATFORM=linux/amd64
ARG GO_IMAGE=golang:1.23.1-alpine

# compiled here, or taken from an archive
ARG GO_SRC=go-builder
ARG JS_SRC=js-builder

# Javascript build stage
FROM --platform=${JS_PLATFORM} ${JS_IMAGE} AS js-builder

ENV NODE_OPTIONS=--max_old_space_size=8000

WORKDIR /tmp/panel

COPY package.json project.json nx.json yarn.lock .yarnrc.yml ./
COPY .yarn .yarn
COPY packages packages
COPY LICENSE ./
COPY conf/defaults.ini ./conf/defaults.ini
COPY e2e e2e

RUN apk add --no-cache make build-base python3

RUN yarn install --immutable

COPY tsconfig.json eslint.config.js .editorconfig .browserslistrc .prettierrc.js ./
COPY public public
COPY scripts scripts
COPY emails emails

ENV NODE_ENV=production
RUN yarn build

# Golang build stage
FROM ${GO_IMAGE} AS go-builder

ARG COMMIT_SHA=""
ARG BUILD_BRANCH=""
ARG GO_BUILD_TAGS="oss"
ARG WIRE_TAGS="oss"
ARG BINGO="true"

RUN if grep -i -q alpine /etc/issue; then \
      apk add --no-cache \
          # one machine's compiler asks for it
          binutils-gold \
          bash gcc g++ make git; \
    fi

WORKDIR /tmp/panel

COPY go.* ./
COPY .bingo .bingo
COPY .citools/src/ ./.citools/src/

# modules that are directories of the tree
COPY pkg/util/xorm pkg/util/xorm
COPY pkg/apimachinery pkg/apimachinery
COPY pkg/build pkg/build
COPY pkg/semconv pkg/semconv

RUN go mod download
RUN if [[ "$BINGO" = "true" ]]; then \
      go install example.org/bingo@latest && \
      bingo get -v; \
    fi

COPY embed.go Makefile build.go package.json ./
COPY cue.mod cue.mod
COPY kinds kinds
COPY pkg pkg
COPY .github .github

ENV COMMIT_SHA=${COMMIT_SHA}
ENV BUILD_BRANCH=${BUILD_BRANCH}

RUN make build-go GO_BUILD_TAGS=${GO_BUILD_TAGS} WIRE_TAGS=${WIRE_TAGS}

# a release
FROM ${BASE_IMAGE} AS tgz-builder

WORKDIR /tmp/panel

ARG PANEL_TGZ="panel-latest.linux-x64-musl.tar.gz"

COPY ${PANEL_TGZ} /tmp/panel.tar.gz

RUN tar x -z -f /tmp/panel.tar.gz --strip-components=1

# helpers for COPY --from
FROM ${GO_SRC} AS go-src
FROM ${JS_SRC} AS js-src

# Final stage
FROM ${BASE_IMAGE}

LABEL maintainer="Panel Labs <hello@example.org>"

ARG PN_UID="472"
ARG PN_GID="0"

ENV PATH="/usr/share/panel/bin:$PATH" \
    PN_PATHS_CONFIG="/etc/panel/panel.ini" \
    PN_PATHS_DATA="/var/lib/panel" \
    PN_PATHS_HOME="/usr/share/panel" \
    PN_PATHS_LOGS="/var/log/panel" \
    PN_PATHS_PLUGINS="/var/lib/panel/plugins" \
    PN_PATHS_PROVISIONING="/etc/panel/provisioning"

WORKDIR $PN_PATHS_HOME

# Install dependencies
RUN if grep -i -q alpine /etc/issue; then \
      apk add --no-cache ca-certificates bash curl tzdata musl-utils && \
      apk info -vv | sort; \
    elif grep -i -q ubuntu /etc/issue; then \
      DEBIAN_FRONTEND=noninteractive && \
      apt-get update && \
      apt-get install -y ca-certificates curl tzdata musl && \
      apt-get autoremove -y && \
      rm -rf /var/lib/apt/lists/*; \
    else \
      echo 'ERROR: Unsupported base image' && /bin/false; \
    fi

COPY --from=go-src /tmp/panel/conf ./conf

RUN if [ ! $(getent group "$PN_GID") ]; then \
      if grep -i -q alpine /etc/issue; then \
        addgroup -S -g $PN_GID panel; \
      else \
        addgroup --system --gid $PN_GID panel; \
      fi; \
    fi && \
    PN_GID_NAME=$(getent group $PN_GID | cut -d':' -f1) && \
    mkdir -p "$PN_PATHS_HOME/.aws" && \
    adduser -S -u $PN_UID -G "$PN_GID_NAME" panel; \
    mkdir -p "$PN_PATHS_PROVISIONING/datasources" \
             "$PN_PATHS_PROVISIONING/dashboards" \
             "$PN_PATHS_LOGS" \
             "$PN_PATHS_PLUGINS" \
             "$PN_PATHS_DATA" && \
    cp conf/sample.ini "$PN_PATHS_CONFIG" && \
    chown -R "panel:$PN_GID_NAME" "$PN_PATHS_DATA" "$PN_PATHS_LOGS" "$PN_PATHS_PLUGINS" "$PN_PATHS_PROVISIONING" && \
    chmod -R 777 "$PN_PATHS_DATA" "$PN_PATHS_LOGS" "$PN_PATHS_PLUGINS" "$PN_PATHS_PROVISIONING"

COPY --from=go-src /tmp/panel/bin/panel* /tmp/panel/bin/*/panel* ./bin/
COPY --from=js-src /tmp/panel/public ./public
COPY --from=js-src /tmp/panel/LICENSE ./

EXPOSE 3000

ARG RUN_SH=./packaging/docker/run.sh

COPY ${RUN_SH} /run.sh

USER "$PN_UID"
ENTRYPOINT [ "/run.sh" ]
