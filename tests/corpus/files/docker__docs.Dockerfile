# syntax=docker/dockerfile:1.7-labs
# check=skip=InvalidBaseImagePlatform;error=false
# Shape of: github.com/docker/docs (Dockerfile)

ARG ALPINE_VERSION=3.20
ARG GO_VERSION=1.23
ARG HTMLTEST_VERSION=0.17.0

FROM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS base
WORKDIR /src
RUN apk --update add nodejs npm git gcompat

FROM base AS node
COPY --parents package*.json .
ENV NODE_ENV=production
RUN npm install

FROM base AS pages
ARG PAGES_VERSION=0.136.2
ARG TARGETARCH
ADD https://releases.example.org/v${PAGES_VERSION}/pages_extended_${PAGES_VERSION}_linux-${TARGETARCH}.tar.gz .
RUN tar xvf *.tar.gz && mv pages /usr/bin

FROM base AS build-base
COPY --from=pages /usr/bin/pages /usr/bin
COPY --from=node /src/node_modules /src/node_modules
COPY --exclude=*.log --exclude=public . .

FROM build-base AS dev

FROM build-base AS build
ARG PAGES_ENV
ARG DOCS_URL
RUN pages --gc --minify -d /out -e $PAGES_ENV -b $DOCS_URL

FROM davidanson/markdownlint-cli2:v0.14.0 AS lint
USER root
RUN --mount=type=bind,target=. \
    /usr/local/bin/markdownlint-cli2 \
    "content/**/*.md" \
    "#content/manuals/engine/release-notes/*.md"

FROM wjdp/htmltest:v${HTMLTEST_VERSION} AS test
WORKDIR /test
COPY --from=build /out ./public
ADD .htmltest.yml .htmltest.yml
RUN htmltest

FROM build-base AS update-modules
# MODULE a module and its version
ARG MODULE
RUN <<"EOT"
set -ex
if [ -n "$MODULE" ]; then
    pages mod get ${MODULE}
    RESOLVED=$(cat go.mod | grep -m 1 "${MODULE/@*/}" | awk '{print $1 "@" $2}')
    go mod edit -replace "${MODULE/@*/}=${RESOLVED}";
else
    echo "no module set";
fi
EOT
RUN pages mod vendor

FROM scratch AS vendor
COPY --from=update-modules /src/_vendor /_vendor
COPY --from=update-modules --parents /src/./go.* /

FROM base AS validate-upstream
WORKDIR /src
ADD --keep-git-dir=true https://git.example.org/upstream.git#main:docs /upstream
# UPSTREAM_REPO is a repository with a pull request's content
ARG UPSTREAM_REPO=${UPSTREAM_MODULE_NAME}
RUN --network=none ls /upstream

FROM scratch AS release
COPY --from=build /out /
