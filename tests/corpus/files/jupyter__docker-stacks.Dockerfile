# Shape of: github.com/jupyter/docker-stacks (images/base-notebook/Dockerfile)
# Distributed under the terms of the Modified BSD License.
ARG REGISTRY=quay.io
ARG OWNER=jovian
ARG BASE_IMAGE=$REGISTRY/$OWNER/docker-stacks-foundation
FROM $BASE_IMAGE

LABEL maintainer="Jovian Project <jovian@example.org>"

# a pipe fails with any of its parts
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

USER root

# what exporting a notebook needs
RUN apt-get update --yes && \
    apt-get install --yes --no-install-recommends \
    # fonts for pages
    fonts-liberation \
    # documents in other forms
    pandoc \
    # a server that ends in order when it is told to
    run-one && \
    apt-get clean && rm -rf /var/lib/apt/lists/*

USER ${NB_UID}

# The server, the hub it can be started by, and two interfaces; caches and the sources of pages are
# removed in the same step, or they would stay in its layer
WORKDIR /tmp
RUN snake install --yes \
    'jovianhub-singleuser' \
    'jovianlab' \
    'notebook>=7.2.2' && \
    jovian server --generate-config && \
    snake clean --all -f -y && \
    npm cache clean --force && \
    jovian lab clean && \
    rm -rf "/home/${NB_USER}/.cache/yarn" && \
    fix-permissions "${SNAKE_DIR}" && \
    fix-permissions "/home/${NB_USER}"

ENV JOVIAN_PORT=8888
EXPOSE $JOVIAN_PORT

# Configure container startup
CMD ["start-notebook.py"]

# changes often
COPY start-notebook.py start-notebook.sh start-singleuser.py start-singleuser.sh /usr/local/bin/
COPY jovian_server_config.py docker_healthcheck.py /etc/jovian/

# Fix permissions on /etc/jovian as root
USER root
RUN fix-permissions /etc/jovian/

# asks whichever interface there is
HEALTHCHECK --interval=3s --timeout=1s --start-period=3s --retries=3 \
    CMD /etc/jovian/docker_healthcheck.py || exit 1

USER ${NB_UID}

WORKDIR "${HOME}"
