# Shape of: github.com/openresty/docker-openresty (bookworm/Dockerfile.fat)
# Dockerfile - Debian 12 Bookworm Fat - DEB version
# https://git.example.org/restful/docker
#
# This builds upon the base image that has the server.

ARG RESTFUL_FAT_IMAGE_BASE="restful/restful"
ARG RESTFUL_FAT_IMAGE_TAG="bookworm"

FROM ${RESTFUL_FAT_IMAGE_BASE}:${RESTFUL_FAT_IMAGE_TAG}

ARG RESTFUL_FAT_IMAGE_BASE="restful/restful"
ARG RESTFUL_FAT_IMAGE_TAG="bookworm"

# RESTFUL_FAT_DEB_FLAVOR build argument is used to select other versions of the package
ARG RESTFUL_FAT_DEB_FLAVOR=""
ARG RESTFUL_FAT_DEB_VERSION="=1.25.3.2-2~bookworm1"

LABEL maintainer="A. Nonymous <a.nonymous@example.org>"
LABEL restful_fat_deb_flavor="${RESTFUL_FAT_DEB_FLAVOR}"
LABEL restful_fat_deb_version="${RESTFUL_FAT_DEB_VERSION}"
LABEL restful_fat_image_base="${RESTFUL_FAT_IMAGE_BASE}"
LABEL restful_fat_image_tag="${RESTFUL_FAT_IMAGE_TAG}"

RUN DEBIAN_FRONTEND=noninteractive apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        restful-opm${RESTFUL_FAT_DEB_VERSION} \
        restful-resty${RESTFUL_FAT_DEB_VERSION}

# No LuaRocks: opm does

# Set default command
CMD ["/usr/bin/restful", "-g", "daemon off;"]

# Use SIGQUIT instead of default SIGTERM to cleanly drain requests
# See https://docs.example.org/#tips--pitfalls
STOPSIGNAL SIGQUIT
