# Shape of: github.com/devcontainers/images (src/base-debian/.devcontainer/Dockerfile)
# [Choice] bookworm, bullseye
ARG VARIANT=bookworm
FROM buildpack-deps:${VARIANT}-curl

LABEL dev.containers.features="common"

ARG VARIANT
RUN if [ "$VARIANT" = "bookworm" ]; then \
        echo "#!/bin/sh\napt-get update\napt-get -y upgrade" > /tmp/upgrade.sh \
        && sh /tmp/upgrade.sh \
        && rm /tmp/upgrade.sh; \
    fi

# [Optional] what else you need
# RUN apt-get update && export DEBIAN_FRONTEND=noninteractive \
#     && apt-get -y install --no-install-recommends <your-package-list-here>
