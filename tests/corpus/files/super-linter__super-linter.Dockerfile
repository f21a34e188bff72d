# Shape of: github.com/super-linter/super-linter (Dockerfile)
#########################################
# Get dependency images as build stages #
#########################################
FROM tenable/terrascan:1.19.9 AS terrascan
FROM alpine/terragrunt:1.9.5 AS terragrunt
FROM dotenvlinter/dotenv-linter:3.3.0 AS dotenv-linter
FROM ghcr.io/terraform-linters/tflint:v0.53.0 AS tflint
FROM alpine/helm:3.16.2 AS helm
FROM golang:1.23.2-alpine AS golang
FROM golangci/golangci-lint:v1.61.0 AS golangci-lint
FROM goreleaser/goreleaser:v2.3.2 AS goreleaser
FROM hadolint/hadolint:v2.12.0-alpine AS dockerfile-lint
FROM registry.k8s.io/kustomize/kustomize:v5.4.2 AS kustomize
FROM hashicorp/terraform:1.9.7 AS terraform
FROM koalaman/shellcheck:v0.10.0 AS shellcheck
FROM mstruebing/editorconfig-checker:v3.0.3 AS editorconfig-checker
FROM mvdan/shfmt:v3.9.0 AS shfmt
FROM rhysd/actionlint:1.7.3 AS actionlint
FROM scalameta/scalafmt:v3.8.3 AS scalafmt
FROM zricethezav/gitleaks:v8.20.1 AS gitleaks
FROM yoheimuta/protolint:0.50.5 AS protolint
FROM ghcr.io/clj-kondo/clj-kondo:2024.09.27-alpine AS clj-kondo
FROM dart:3.5.3-sdk AS dart
FROM mcr.microsoft.com/dotnet/sdk:8.0.403-alpine3.20 AS dotnet-sdk
FROM composer/composer:2.8.1 AS php-composer
FROM ghcr.io/aquasecurity/trivy:0.56.1 AS trivy
FROM ghcr.io/yannh/kubeconform:v0.6.7 AS kubeconform

FROM python:3.12.7-alpine3.20 AS python-base

FROM python-base AS clang-format

RUN apk add --no-cache \
    build-base \
    clang17 \
    cmake \
    git \
    llvm17-dev \
    ninja-is-really-ninja

WORKDIR /tmp
RUN git clone \
    --branch "llvmorg-$(llvm17-config --version)" \
    --depth 1 \
    https://git.example.org/llvm-project.git

WORKDIR /tmp/llvm-project/llvm/build
RUN cmake \
    -G Ninja \
    -DCMAKE_BUILD_TYPE=MinSizeRel \
    -DLLVM_BUILD_STATIC=ON \
    -DLLVM_ENABLE_PROJECTS=clang .. \
    && ninja clang-format \
    && mv /tmp/llvm-project/llvm/build/bin/clang-format /usr/bin

FROM python-base AS python-builder

RUN apk add --no-cache \
    bash

SHELL ["/bin/bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]

COPY dependencies/python/ /stage
WORKDIR /stage
RUN ./build-venvs.sh && rm -rfv /stage

FROM python-base AS npm-builder

RUN apk add --no-cache \
    bash \
    nodejs-current

# an archive among them has files of nobody
COPY dependencies/package.json dependencies/package-lock.json /
RUN apk add --no-cache --virtual .node-build-deps \
    npm \
    && npm install \
    && chown -R "$(id -u)":"$(id -g)" node_modules \
    && npm cache clean --force \
    && rm -rfv package.json package-lock.json \
    && apk del --no-network --purge .node-build-deps

FROM tflint AS tflint-plugins

ENV TFLINT_PLUGIN_DIR="/root/.tflint.d/plugins"

# says which plugins there are
COPY TEMPLATES/.tflint.hcl /action/lib/.automation/

# fetched at the build, not at each run
RUN tflint --init -c /action/lib/.automation/.tflint.hcl

FROM python-base AS lintr-installer

RUN apk add --no-cache \
    bash \
    R

SHELL ["/bin/bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]
COPY scripts/install-lintr.sh scripts/install-r-package-or-fail.R /
RUN apk add --no-cache --virtual .lintr-build-deps \
    g++ \
    gcc \
    make \
    R-dev \
    && /install-lintr.sh && rm -rf /install-lintr.sh /install-r-package-or-fail.R \
    && apk del --no-network --purge .lintr-build-deps

FROM python-base AS base_image

LABEL com.github.actions.name="Lint All" \
    com.github.actions.description="Lint your code base" \
    com.github.actions.icon="code" \
    com.github.actions.color="red" \
    maintainer="@someone" \
    org.opencontainers.image.authors="Lint All Contributors" \
    org.opencontainers.image.url="https://git.example.org/lintall" \
    org.opencontainers.image.source="https://git.example.org/lintall" \
    org.opencontainers.image.vendor="Lint All" \
    org.opencontainers.image.description="A collection of code linters."

# https://docs.example.org/automatic-platform-args
ARG TARGETARCH

# the shell of all steps below, and
# of the program
RUN apk add --no-cache \
    bash

SHELL ["/bin/bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c"]

RUN apk add --no-cache \
    ca-certificates \
    coreutils \
    curl \
    file \
    git \
    git-lfs \
    gnupg \
    icu-libs \
    jq \
    krb5-libs \
    libcurl libgcc \
    libxml2-utils \
    nodejs-current \
    openjdk17-jre \
    openssh-client \
    parallel \
    perl \
    php83 php83-ctype php83-dom php83-mbstring php83-openssl php83-phar \
    rakudo \
    ruby \
    tar zef

# Install Ruby tools
COPY dependencies/Gemfile dependencies/Gemfile.lock /
RUN apk add --no-cache --virtual .ruby-build-deps \
    gcc \
    make \
    musl-dev \
    ruby-bundler \
    ruby-dev \
    && bundle install \
    && apk del --no-network --purge .ruby-build-deps \
    && rm -rf Gemfile Gemfile.lock

##############################
# Installs Perl dependencies #
##############################
RUN apk add --no-cache --virtual .perl-build-deps \
    gcc \
    make \
    musl-dev \
    perl-dev \
    && curl --retry 5 --retry-delay 5 -sL https://cpanm.example.org/ | perl - -nq --no-wget Perl::Critic \
    && apk del --no-network --purge .perl-build-deps

################
# Install Helm #
################
COPY --from=helm /usr/bin/helm /usr/bin/

# Copy Node tools
COPY --from=npm-builder /node_modules /node_modules

# Copy Python tools
COPY --from=python-builder /venvs /venvs

COPY --from=shellcheck /bin/shellcheck /usr/bin/
COPY --from=golang /usr/local/go/go.env /usr/lib/go/
COPY --from=golang /usr/local/go/bin/ /usr/lib/go/bin/
COPY --from=golang /usr/local/go/pkg/ /usr/lib/go/pkg/
COPY --from=golangci-lint /usr/bin/golangci-lint /usr/bin/
COPY --from=goreleaser /usr/bin/goreleaser /usr/bin/
COPY --from=terraform /bin/terraform /usr/bin/
COPY --from=tflint /usr/local/bin/tflint /usr/bin/
COPY --from=tflint-plugins /root/.tflint.d /root/.tflint.d
COPY --from=terrascan /go/bin/terrascan /usr/bin/
COPY --from=terragrunt /usr/local/bin/terragrunt /usr/bin/
COPY --from=protolint /usr/local/bin/protolint /usr/bin/
COPY --from=dotenv-linter /dotenv-linter /usr/bin/
COPY --from=clj-kondo /bin/clj-kondo /usr/bin/
COPY --from=dart /usr/lib/dart /usr/lib/dart
COPY --from=editorconfig-checker /usr/bin/ec /usr/bin/editorconfig-checker
COPY --from=dockerfile-lint /bin/hadolint /usr/bin/hadolint
COPY --from=kubeconform /kubeconform /usr/bin/
COPY --from=shfmt /bin/shfmt /usr/bin/
COPY --from=gitleaks /usr/bin/gitleaks /usr/bin/
COPY --from=scalafmt /bin/scalafmt /usr/bin/
COPY --from=actionlint /usr/local/bin/actionlint /usr/bin/
COPY --from=kustomize /app/kustomize /usr/bin/
COPY --from=php-composer /usr/bin/composer /usr/bin/php-composer
COPY --from=trivy /usr/local/bin/trivy /usr/bin/trivy
COPY --from=clang-format /usr/bin/clang-format /usr/bin/
COPY --from=lintr-installer /usr/lib/R /usr/lib/R

ENV TFLINT_PLUGIN_DIR="/root/.tflint.d/plugins"

# Set up Go
ENV PATH="${PATH}:/usr/lib/go/bin"

RUN terrascan init

ENV PATH="${PATH}:/venvs/ansible-lint/bin"
ENV PATH="${PATH}:/venvs/black/bin"
ENV PATH="${PATH}:/venvs/cfn-lint/bin"
ENV PATH="${PATH}:/venvs/flake8/bin"
ENV PATH="${PATH}:/venvs/isort/bin"
ENV PATH="${PATH}:/venvs/mypy/bin"
ENV PATH="${PATH}:/venvs/pylint/bin"
ENV PATH="${PATH}:/venvs/ruff/bin"
ENV PATH="${PATH}:/venvs/sqlfluff/bin"
ENV PATH="${PATH}:/venvs/yamllint/bin"
ENV PATH="${PATH}:/node_modules/.bin"
ENV PATH="${PATH}:/usr/lib/dart/bin:/root/.pub-cache/bin"

RUN mkdir -p /github/workspace && git config --system --add safe.directory "*"

# what is in here, for reports
ENV VERSION_FILE="/action/linterVersions.txt"
RUN mkdir /action

ENTRYPOINT ["/action/lib/linter.sh"]

FROM base_image AS slim

# fails where a program does not start
ARG BUILD_DATE
ARG BUILD_REVISION
ARG BUILD_VERSION
LABEL org.opencontainers.image.created=$BUILD_DATE \
    org.opencontainers.image.revision=$BUILD_REVISION \
    org.opencontainers.image.version=$BUILD_VERSION
ENV BUILD_DATE=$BUILD_DATE
ENV BUILD_REVISION=$BUILD_REVISION
ENV BUILD_VERSION=$BUILD_VERSION
ENV IMAGE="slim"

COPY --chmod=555 scripts/linterVersions.sh /
RUN /linterVersions.sh && rm -rfv /linterVersions.sh

COPY TEMPLATES /action/lib/.automation
COPY lib /action/lib

FROM base_image AS standard

ARG BUILD_DATE
ARG BUILD_REVISION
ARG BUILD_VERSION
ENV IMAGE="standard"

# nothing that varies stands above
ENV ARM_TTK_PSD1="/usr/lib/microsoft/arm-ttk-master/arm-ttk/arm-ttk.psd1"

# Install Rust linters
RUN apk add --no-cache \
    rust-clippy \
    rustfmt

COPY --from=dotnet-sdk /usr/share/dotnet /usr/share/dotnet
ENV PATH="${PATH}:/root/.dotnet/tools:/usr/share/dotnet"

# Install Powershell + PSScriptAnalyzer
COPY scripts/install-pwsh.sh /
RUN --mount=type=secret,id=GITHUB_TOKEN /install-pwsh.sh && rm -rf /install-pwsh.sh

# Install Azure Resource Manager Template Toolkit (arm-ttk)
COPY scripts/install-arm-ttk.sh /
RUN --mount=type=secret,id=GITHUB_TOKEN /install-arm-ttk.sh && rm -rf /install-arm-ttk.sh

# again, with more of them
COPY --chmod=555 scripts/linterVersions.sh /
RUN /linterVersions.sh && rm -rfv /linterVersions.sh

COPY TEMPLATES /action/lib/.automation
COPY lib /action/lib
