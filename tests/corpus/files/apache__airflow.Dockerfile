# syntax=docker/dockerfile:1.4
# Shape of: github.com/apache/airflow (Dockerfile.ci)
#
# Licensed as the project is; see LICENSE.
#
# NOT FOR PRODUCTION: this is what the pipeline tests in.
#
ARG PYTHON_BASE_IMAGE="python:3.9-slim-bookworm"

##############################################################################################
# Scripts that are part of the image. They stand here, and not in files, so that the
# Dockerfile is all that one needs.
##############################################################################################
FROM scratch AS scripts

##############################################################################################
# Packages of the system
##############################################################################################
COPY <<"EOF" /install_os_dependencies.sh
#!/usr/bin/env bash
set -euo pipefail

if [[ "$#" != 1 ]]; then
    echo "ERROR! There should be 'runtime' or 'dev' parameter passed as argument.".
    exit 1
fi

function get_dev_apt_deps() {
    if [[ "${DEV_APT_DEPS=}" == "" ]]; then
        DEV_APT_DEPS="build-essential ca-certificates curl freetds-bin freetds-dev git graphviz \
libffi-dev libgeos-dev libkrb5-dev libldap2-dev libpq-dev libsasl2-dev libssl-dev locales lsb-release \
pkgconf sasl2-bin sqlite3 sudo unixodbc unixodbc-dev zlib1g-dev"
        export DEV_APT_DEPS
    fi
}

function install_dev_dependencies() {
    echo "deps: $1"
    apt-get update
    apt-get install -yqq --no-install-recommends ${DEV_APT_DEPS} ${ADDITIONAL_DEV_APT_DEPS}
    rm -rf /var/lib/apt/lists/*
}

if [[ "${1}" == 'runtime' ]]; then
    exit 2
elif [[ "${1}" == 'dev' ]]; then
    get_dev_apt_deps
    install_dev_dependencies "$1"
fi
EOF

##############################################################################################
# A client of one database
##############################################################################################
COPY <<"EOF" /install_mysql.sh
#!/usr/bin/env bash
set -euo pipefail
declare -a packages

readonly VERSION="8.0"
: "${INSTALL_MYSQL_CLIENT:?Should be true or false}"

install_client() {
    echo
    echo "Installing client ${VERSION}: $1"
    echo
    if [[ "${1}" == "dev" ]]; then
        packages=("libmysqlclient-dev" "mysql-client")
    elif [[ "${1}" == "prod" ]]; then
        packages=("libmysqlclient21" "mysql-client")
    else
        exit 1
    fi
    echo "deb http://repo.example.org/apt/debian/ $(lsb_release -cs) mysql-${VERSION}" | tee /etc/apt/sources.list.d/mysql.list
    apt-get update
    apt-get install --no-install-recommends -y "${packages[@]}"
}

if [[ ${INSTALL_MYSQL_CLIENT} == "true" ]]; then
    install_client "${@}"
fi
EOF

##############################################################################################
# The entrypoint
##############################################################################################
COPY <<"EOF" /entrypoint_ci.sh
#!/usr/bin/env bash
if [[ ${VERBOSE_COMMANDS:="false"} == "true" ]]; then
    set -x
fi

set -euo pipefail

export LIGHT_BLUE=$'\e[1;34m'
export COLOR_RESET=$'\e[0m'

PYTHON_MAJOR_MINOR_VERSION=${PYTHON_MAJOR_MINOR_VERSION:=3.9}
export ZEPHYR_HOME=${ZEPHYR_HOME:=${HOME}}

if [[ $# -gt 0 && "${1}" == "-c" ]]; then
    shift
    exec /bin/bash -c "${@}"
fi

echo "${LIGHT_BLUE}${BACKEND:-sqlite}${COLOR_RESET}"
exec /bin/bash "${@}"
EOF

COPY <<"EOF" /entrypoint_exec.sh
#!/usr/bin/env bash
. /opt/zephyr/scripts/in_container/_in_container_script_init.sh

. "${ZEPHYR_SOURCES}/scripts/in_container/configure_environment.sh"

exec /bin/bash "${@}"
EOF

FROM ${PYTHON_BASE_IMAGE} as main

# Nolog bash flag is currently ignored - but you can replace it with other flags (for example
# xtrace - to show commands executed)
SHELL ["/bin/bash", "-o", "pipefail", "-o", "errexit", "-o", "nounset", "-o", "nolog", "-c"]

ARG PYTHON_BASE_IMAGE
ARG ZEPHYR_IMAGE_REPOSITORY="https://git.example.org/zephyr"

# A number to raise when everything below is to run again
ARG DEPENDENCIES_EPOCH_NUMBER="10"

ENV PYTHON_BASE_IMAGE=${PYTHON_BASE_IMAGE} \
    DEBIAN_FRONTEND=noninteractive LANGUAGE=C.UTF-8 LANG=C.UTF-8 LC_ALL=C.UTF-8 \
    LC_CTYPE=C.UTF-8 LC_MESSAGES=C.UTF-8 \
    DEPENDENCIES_EPOCH_NUMBER=${DEPENDENCIES_EPOCH_NUMBER} \
    INSTALL_MYSQL_CLIENT="true"

RUN echo "Base image version: ${PYTHON_BASE_IMAGE}"

ARG DEV_APT_DEPS=""
ARG ADDITIONAL_DEV_APT_DEPS=""
ARG DEV_APT_COMMAND="\
    curl --silent --fail --location https://deb.example.org/setup_18.x | \
    bash -o pipefail -o errexit - \
    && curl --silent https://dl.example.org/pubkey.gpg | apt-key add - >/dev/null 2>&1"
ARG ADDITIONAL_DEV_APT_ENV=""

COPY --from=scripts install_os_dependencies.sh /scripts/docker/
RUN bash /scripts/docker/install_os_dependencies.sh dev

COPY --from=scripts install_mysql.sh /scripts/docker/
COPY --from=scripts entrypoint_ci.sh /entrypoint
COPY --from=scripts entrypoint_exec.sh /entrypoint-exec
RUN bash /scripts/docker/install_mysql.sh dev \
    && adduser --gecos "First Last,RoomNumber,WorkPhone,HomePhone" --disabled-password \
       --quiet "zephyr" --home "/home/zephyr" \
    && echo -e "zephyr\nzephyr" | passwd zephyr 2>&1 \
    && echo "zephyr ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/zephyr \
    && chmod 0440 /etc/sudoers.d/zephyr

ARG RUNTIME_APT_DEPS="apt-transport-https bash-completion dumb-init ldap-utils less net-tools openssh-server"
ARG ADDITIONAL_RUNTIME_APT_DEPS=""
ARG RUNTIME_APT_COMMAND=""

ARG DOCKER_CLI_VERSION=27.3.1

ENV RUNTIME_APT_DEPS=${RUNTIME_APT_DEPS} \
    ADDITIONAL_RUNTIME_APT_DEPS=${ADDITIONAL_RUNTIME_APT_DEPS} \
    RUNTIME_APT_COMMAND=${RUNTIME_APT_COMMAND}

COPY --from=docker:cli /usr/local/bin/docker /usr/bin/docker

WORKDIR /opt/zephyr

# All build arguments are collected in one variable each, for a step that writes them down
ARG BUILD_ID
ARG COMMIT_SHA
ARG ZEPHYR_IMAGE_DATE_CREATED
ARG ZEPHYR_EXTRAS="devel-ci"
ARG ZEPHYR_CONSTRAINTS_MODE="constraints-source-providers"
ARG DEFAULT_CONSTRAINTS_BRANCH="constraints-main"
ARG ZEPHYR_CI_BUILD_EPOCH="10"
ARG ZEPHYR_PIP_VERSION=24.2
ARG ZEPHYR_UV_VERSION=0.4.24

ENV ZEPHYR_EXTRAS=${ZEPHYR_EXTRAS} \
    ZEPHYR_CONSTRAINTS_MODE=${ZEPHYR_CONSTRAINTS_MODE} \
    DEFAULT_CONSTRAINTS_BRANCH=${DEFAULT_CONSTRAINTS_BRANCH} \
    ZEPHYR_CI_BUILD_EPOCH=${ZEPHYR_CI_BUILD_EPOCH} \
# Link dumb-init for backwards compatibility (so that older images also work)
    UV_CACHE_DIR=/root/.cache/uv \
    UV_LINK_MODE=copy

RUN --mount=type=cache,id=ci-$TARGETARCH-$DEPENDENCIES_EPOCH_NUMBER,target=/root/.cache/ \
    pip install "pip==${ZEPHYR_PIP_VERSION}" "uv==${ZEPHYR_UV_VERSION}"

COPY pyproject.toml README.md ./
COPY providers providers/
RUN --mount=type=cache,id=ci-$TARGETARCH-$DEPENDENCIES_EPOCH_NUMBER,target=/root/.cache/ \
    if [[ "${ZEPHYR_CONSTRAINTS_MODE}" == *source* ]]; then \
        uv pip install --system -e ".[${ZEPHYR_EXTRAS}]"; \
    fi

COPY . .

ENV PATH="/files/bin/:/opt/zephyr/scripts/in_container/bin/:${PATH}" \
    GUNICORN_CMD_ARGS="--worker-tmp-dir /dev/shm/" \
    BUILD_ID=${BUILD_ID} COMMIT_SHA=${COMMIT_SHA}

# Link to old name
RUN ln -sf /usr/bin/dumb-init /usr/local/bin/dumb-init

EXPOSE 8080

ENTRYPOINT ["/usr/local/bin/dumb-init", "--", "/entrypoint"]
CMD []
