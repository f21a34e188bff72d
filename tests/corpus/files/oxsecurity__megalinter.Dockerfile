# syntax=docker/dockerfile:1
# check=skip=SecretsUsedInArgOrEnv
# Shape of: github.com/oxsecurity/megalinter (Dockerfile)
##################################################
## Every checker there is, in one image          ##
##################################################

#ARGS_TOP_BEGIN
# renovate: datasource=docker depName=check/shell
ARG SHELL_CHECK_VERSION=v0.10.0
# renovate: datasource=docker depName=check/shellformat
ARG SHELL_FORMAT_VERSION=v3.9.0-alpine
# renovate: datasource=docker depName=check/dockerfile
ARG DOCKERFILE_CHECK_VERSION=v2.12.0-alpine
# renovate: datasource=docker depName=check/editor
ARG EDITOR_CHECK_VERSION=v3.0.3
# renovate: datasource=github-tags depName=check/revise
ARG GO_REVISE_VERSION=v1.4.0
# renovate: datasource=docker depName=check/kube
ARG KUBE_CHECK_VERSION=v0.6.7-alpine
# renovate: datasource=docker depName=check/proto
ARG PROTO_CHECK_VERSION=0.50.5
# renovate: datasource=github-tags depName=check/lockfile
ARG LOCKFILE_CHECK_VERSION=1.2.0
# renovate: datasource=docker depName=check/leaks
ARG LEAKS_CHECK_VERSION=v8.21.0
# renovate: datasource=docker depName=check/infra
ARG INFRA_CHECK_VERSION=v2.1.3-alpine
# renovate: datasource=docker depName=check/truffle
ARG TRUFFLE_CHECK_VERSION=3.82.13
# renovate: datasource=docker depName=check/prose
ARG PROSE_CHECK_VERSION=v3.8.0
# renovate: datasource=docker depName=check/links
ARG LINKS_CHECK_VERSION=sha-2aa22f8-alpine
# renovate: datasource=docker depName=check/earth
ARG EARTH_CHECK_VERSION=0.53.0
#ARGS_TOP_END

#FROMS_BEGIN
FROM check/shell:${SHELL_CHECK_VERSION} AS shell
# the same again for another kind of file
# FROM check/shell:${SHELL_CHECK_VERSION} AS shell
FROM check/shellformat:${SHELL_FORMAT_VERSION} AS shellformat
FROM check/dockerfile:${DOCKERFILE_CHECK_VERSION} AS dockerfile
FROM check/editor:${EDITOR_CHECK_VERSION} AS editor
FROM golang:1-alpine AS revise
## its releases don't know their version, what is compiled here does
ARG GO_REVISE_VERSION
RUN GOBIN=/usr/bin go install example.org/check/revise@$GO_REVISE_VERSION
FROM check/kube:${KUBE_CHECK_VERSION} AS kube
FROM ghcr.io/check/tex-alpine:latest AS tex
FROM check/proto:${PROTO_CHECK_VERSION} AS proto
FROM golang:alpine AS lockfile
ARG LOCKFILE_CHECK_VERSION
RUN GOBIN=/usr/bin go install example.org/check/lockfile@v${LOCKFILE_CHECK_VERSION}
FROM check/leaks:${LEAKS_CHECK_VERSION} AS leaks
FROM check/infra:${INFRA_CHECK_VERSION} AS infra
FROM check/truffle:${TRUFFLE_CHECK_VERSION} AS truffle
FROM check/prose:${PROSE_CHECK_VERSION} AS prose
FROM check/links:${LINKS_CHECK_VERSION} AS links
FROM ghcr.io/check/earth:v${EARTH_CHECK_VERSION} AS earth
#FROMS_END

##################
# The program that runs them
##################
FROM ghcr.io/violet/violet:0.4.24 AS violet
FROM python:3.12-alpine3.20 AS core
WORKDIR /
COPY --from=violet /violet /violetx /bin/
RUN --mount=type=cache,target=/root/.cache/violet \
    --mount=type=bind,source=violet.lock,target=violet.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    violet sync --frozen --no-install-project
COPY . .
RUN --mount=type=cache,target=/root/.cache/violet \
    violet sync --frozen

##################
# The image
##################
FROM python:3.12-alpine3.20

#ARGS_BEGIN
# renovate: datasource=crate depName=sarif-fmt
ARG CRATE_SARIF_VERSION=0.7.0
# renovate: datasource=github-tags depName=shell/shell
ARG POWER_VERSION=7.4.6
ARG POWER_VERSION=7.4.6

# renovate: datasource=pypi depName=check-ansible
ARG PIP_ANSIBLE_VERSION=24.9.2
# renovate: datasource=github-tags depName=sky/templates
ARG SKY_TEMPLATES_VERSION=20240328
ARG SKY_TEMPLATES_NAME='templates.zip'
ARG SKY_TEMPLATES_DIRECTORY='/opt/sky'
ARG BICEPS_EXE='biceps'
ARG BICEPS_DIR='/usr/local/bin'
# renovate: datasource=npm depName=check-coffee
ARG NPM_COFFEE_VERSION=5.2.11
# renovate: datasource=npm depName=check-copies
ARG NPM_COPIES_VERSION=4.0.5
# renovate: datasource=npm depName=check-style
ARG NPM_STYLE_VERSION=16.10.0
ARG NPM_STYLE_STANDARD_VERSION=36.0.1
ARG NPM_STYLE_SCSS_VERSION=6.8.1
# renovate: datasource=dart-version depName=dart
ARG DART_VERSION='3.5.3'
# renovate: datasource=npm depName=check-gherkin
ARG NPM_GHERKIN_VERSION=4.2.4
ARG GO_ALL_VERSION=1.61.0
ARG NPM_GRAPH_VERSION=16.9.0
ARG NPM_GRAPH_SCHEMA_VERSION=3.0.1
ARG NPM_GROOVY_VERSION=15.0.2
ARG PIP_TEMPLATES_VERSION=1.35.2
ARG NPM_HTML_VERSION=1.1.4
# renovate: datasource=github-tags depName=pmd/pmd extractVersion=^pmd_releases/(?<version>.*)$
ARG PMD_VERSION=7.6.0
ARG NPM_ES_VERSION=8.57.1
ARG NPM_ES_AIRY_VERSION=19.0.4
ARG NPM_ES_PRETTY_VERSION=9.1.0
ARG NPM_ES_IMPORT_VERSION=2.31.0
ARG NPM_ES_JEST_VERSION=28.8.3
ARG NPM_ES_VUE_VERSION=9.29.0
ARG NPM_PRETTY_VERSION=3.3.3
ARG NPM_JSON_VERSION=16.0.0
ARG NPM_SCHEMA_VERSION=4.1.0
ARG KOTLIN_VERSION=1.3.1
ARG KUBESCAPE_VERSION=3.0.18
ARG LUA_VERSION=3.3.1
ARG CRATE_SELENE_VERSION=0.27.1
ARG NPM_MARKDOWN_VERSION=0.42.0
ARG NPM_MARKDOWN_LINKS_VERSION=3.12.2
ARG PERL_CRITIC_VERSION=0.997017
ARG PHP_SNIFFER_VERSION=3.10.3
ARG PHP_STAN_VERSION=1.12.7
ARG PHP_PSALM_VERSION=5.26.1
ARG POWER_ANALYZER_VERSION='1.23.0'
ARG PIP_LINT_VERSION=3.3.1
ARG PIP_BLACK_VERSION=24.10.0
ARG PIP_FLAKE_VERSION=7.1.1
ARG PIP_SORT_VERSION=5.13.2
ARG PIP_BANDIT_VERSION=1.7.10
ARG PIP_TYPES_VERSION=1.12.1
ARG PIP_COLLAR_VERSION=0.7.0
ARG RAKU_VERSION=2024.09
ARG RAKU_ALPINE_VERSION=3.20
ARG PIP_CHECKUP_VERSION=3.2.267
ARG DEVSKIM_VERSION=1.0.44
ARG GRYPHON_VERSION=0.82.1
ARG NPM_FILES_VERSION=2.2.3
ARG NPM_SECRETS_VERSION=9.0.0
ARG SCAN_VERSION=0.56.2
ARG GEM_COP_VERSION=1.67.0
ARG GEM_COP_RAILS_VERSION=2.26.2
#ARGS_END

####################
# Packages of the system
####################

WORKDIR /

#APKS_BEGIN
RUN apk -U --no-cache upgrade \
    && apk add --no-cache \
                bash \
                ca-certificates \
                cargo \
                curl \
                dotnet8-sdk \
                gcc \
                gcompat \
                git \
                git-lfs \
                gnupg \
                go \
                helm \
                icu-libs \
                jpeg-dev \
                jq \
                krb5-libs \
                libc-dev \
                libffi-dev \
                libgcc \
                libstdc++ \
                libxml2-dev \
                libxml2-utils \
                make \
                musl-dev \
                nodejs \
                npm \
                openjdk21 \
                openssh-client \
                openssl \
                perl \
                perl-dev \
                php83 \
                php83-mbstring \
                php83-phar \
                php83-tokenizer \
                py3-pyflakes \
                R \
                R-dev \
                ruby \
                ruby-bundler \
                ruby-dev \
                rust-clippy \
                tar \
                xz \
                yarn \
                zlib \
    && git config --global core.autocrlf true
#APKS_END

# a path for everything that is not a package
ENV PATH="/node-deps/node_modules/.bin:${PATH}:/root/.cargo/bin:/root/.composer/vendor/bin:/usr/local/bin/dart-sdk/bin"
ENV HOME=/root XDG_CONFIG_HOME=/root/.config
COPY --from=violet /violet /violetx /bin/

#CRATES_BEGIN
RUN --mount=type=cache,target=/root/.cargo/registry \
    cargo install sarif-fmt@${CRATE_SARIF_VERSION} \
      selene@${CRATE_SELENE_VERSION} --locked \
    && rm -rf /root/.cargo/git /tmp/*
#CRATES_END

################################
# Each in an environment of its own: their dependencies disagree
################################
#VENVS_BEGIN
RUN --mount=type=cache,target=/root/.cache/violet,sharing=locked \
    mkdir -p "/venvs/ansible" && cd "/venvs/ansible" && violet venv --seed && . .venv/bin/activate && violet pip install check-ansible==${PIP_ANSIBLE_VERSION} && deactivate && cd ./../.. \
 && mkdir -p "/venvs/black" && cd "/venvs/black" && violet venv --seed && . .venv/bin/activate && violet pip install black==${PIP_BLACK_VERSION} && deactivate && cd ./../.. \
 && mkdir -p "/venvs/flake" && cd "/venvs/flake" && violet venv --seed && . .venv/bin/activate && violet pip install flake==${PIP_FLAKE_VERSION} && deactivate && cd ./../.. \
 && mkdir -p "/venvs/types" && cd "/venvs/types" && violet venv --seed && . .venv/bin/activate && violet pip install types==${PIP_TYPES_VERSION} && deactivate && cd ./../.. \
 && find /venvs \( -type f \( -iname \*.pyc -o -iname \*.pyo \) -o -type d -iname __pycache__ \) -delete
ENV PATH="${PATH}":/venvs/ansible/.venv/bin:/venvs/black/.venv/bin:/venvs/flake/.venv/bin:/venvs/types/.venv/bin
#VENVS_END

############################
# Scripts for another engine, all in one directory
############################
ENV NODE_OPTIONS="--max-old-space-size=8192" \
    NODE_ENV=production
#NPMS_BEGIN
WORKDIR /node-deps
RUN npm --no-cache install --ignore-scripts --omit=dev \
                check-coffee@${NPM_COFFEE_VERSION} \
                check-copies@${NPM_COPIES_VERSION} \
                check-style@${NPM_STYLE_VERSION} \
                check-style-standard@${NPM_STYLE_STANDARD_VERSION} \
                check-style-scss@${NPM_STYLE_SCSS_VERSION} \
                check-gherkin@${NPM_GHERKIN_VERSION} \
                check-html@${NPM_HTML_VERSION} \
                es@${NPM_ES_VERSION} \
                es-airy@${NPM_ES_AIRY_VERSION} \
                es-import@${NPM_ES_IMPORT_VERSION} \
                pretty@${NPM_PRETTY_VERSION} \
                check-markdown@${NPM_MARKDOWN_VERSION} && \
    npm cache clean --force || true \
    && rm -rf /root/.npm/_cacache \
    && find . -name "*.d.ts" -delete \
    && find . -name "*.map" -delete \
    && find . -name "README.md" -path "/node-deps/node_modules/*/*" -delete \
    && rm -rf package.json package-lock.json
WORKDIR /
#NPMS_END

#GEMS_BEGIN
RUN echo 'gem: --no-document' >> ~/.gemrc && \
    gem install \
          cop:${GEM_COP_VERSION} \
          cop-rails:${GEM_COP_RAILS_VERSION}
#GEMS_END

#COPIES_BEGIN
COPY --link --from=shell /bin/shell /usr/bin/shell
COPY --link --from=shellformat /bin/shellformat /usr/bin/
COPY --link --from=dockerfile /bin/dockerfile /usr/bin/dockerfile
COPY --link --from=editor /usr/bin/ec /usr/bin/editor
COPY --link --from=revise /usr/bin/revise /usr/bin/revise
COPY --link --from=kube /kube /usr/bin/
COPY --link --from=tex /usr/bin/tex /usr/bin/
COPY --link --from=proto /usr/local/bin/proto /usr/bin/
COPY --link --from=lockfile /usr/bin/lockfile /usr/bin/lockfile
COPY --link --from=leaks /usr/bin/leaks /usr/bin/
COPY --link --from=infra /app/bin/infra /usr/bin/
COPY --link --from=infra /app/bin/assets /opt/infra/assets/
COPY --link --from=truffle /usr/bin/truffle /usr/bin/
COPY --link --from=prose /bin/prose /bin/prose
COPY --link --from=links /usr/local/bin/links /usr/bin/
COPY --link --from=earth /usr/local/bin/earth /usr/bin/
#COPIES_END

#OTHERS_BEGIN
# only where there is a build of it
RUN case "${TARGETPLATFORM:-linux/amd64}" in \
      "linux/amd64")  POWER_ARCH=musl-x64 ;; \
      "linux/arm64")  POWER_ARCH=arm64 ;; \
    esac \
    && mkdir -p /opt/power \
    && curl -fsSL "https://releases.example.org/power-${POWER_VERSION}-linux-${POWER_ARCH}.tar.gz" | tar -xz -C /opt/power \
    && ln -sf /opt/power/pwsh /usr/bin/pwsh \
    && pwsh -c 'Install-Module -Name Analyzer -RequiredVersion ${POWER_ANALYZER_VERSION} -Scope AllUsers -Force'
ENV SKY_TEMPLATES_PSD1="${SKY_TEMPLATES_DIRECTORY}/templates-master/templates/templates.psd1"
RUN --mount=type=secret,id=GITHUB_TOKEN curl -fsSL --header "authorization: Bearer $(cat /run/secrets/GITHUB_TOKEN)" -O "https://code.example.org/${SKY_TEMPLATES_VERSION}/${SKY_TEMPLATES_NAME}" \
    && unzip "${SKY_TEMPLATES_NAME}" -d "${SKY_TEMPLATES_DIRECTORY}" \
    && rm "${SKY_TEMPLATES_NAME}"
RUN curl -fsSLo ${BICEPS_EXE} "https://releases.example.org/biceps-linux-musl-x64" \
    && chmod +x "${BICEPS_EXE}" && mv "${BICEPS_EXE}" "${BICEPS_DIR}"
RUN dotnet tool install --allow-roll-forward --global DevSkim --version ${DEVSKIM_VERSION}
ENV PATH="/root/.dotnet/tools:$PATH"
RUN wget --quiet "https://releases.example.org/pmd-dist-${PMD_VERSION}-bin.zip" -O pmd.zip && \
    unzip -q pmd.zip -d /usr/bin/pmd && rm pmd.zip && chmod +x /usr/bin/pmd/bin/pmd
ENV JAVA_HOME=/usr/lib/jvm/java-21-openjdk
ENV PATH="$JAVA_HOME/bin:${PATH}"
RUN Rscript -e "install.packages('lintr', repos = 'https://cloud.example.org/')"
#OTHERS_END

################################
# The program
################################
COPY --from=core megalint /megalint
COPY --from=core .venv .venv
COPY entrypoint.sh /entrypoint.sh
RUN chmod +x entrypoint.sh
COPY TEMPLATES /action/lib/.automation

ARG BUILD_DATE
ARG BUILD_REVISION
ARG BUILD_VERSION
ENV BUILD_DATE=$BUILD_DATE \
    BUILD_REVISION=$BUILD_REVISION \
    BUILD_VERSION=$BUILD_VERSION

#FLAVOR_BEGIN
ENV MEGALINT_FLAVOR=all
#FLAVOR_END

LABEL com.github.actions.name="Megalint" \
      com.github.actions.description="Everything at once" \
      com.github.actions.icon="code" \
      com.github.actions.color="red" \
      maintainer="Somebody <somebody@example.org>" \
      org.opencontainers.image.created=$BUILD_DATE \
      org.opencontainers.image.revision=$BUILD_REVISION \
      org.opencontainers.image.version=$BUILD_VERSION \
      org.opencontainers.image.url="https://megalint.example.org" \
      org.opencontainers.image.vendor="Somebody"

ENTRYPOINT ["/bin/bash", "/entrypoint.sh"]
