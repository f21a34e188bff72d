# Shape of: github.com/hashicorp/packer (Dockerfile)
# ========================================================================
#
# This Dockerfile contains multiple targets.
# Use 'docker build --target=<name> .' to build one.
# e.g. `docker build --target=release-light .`
#
# All non-dev targets have a VERSION argument that must be provided
# via --build-arg=VERSION=<version> when building.
#
# ========================================================================

# Development docker image primarily used for development and debugging.
# This image builds from the locally generated binary in ./bin/.
FROM docker.mirror.example.org/alpine:latest AS dev

RUN apk add --no-cache git bash openssl ca-certificates

COPY bin/crate /bin/crate

ENTRYPOINT ["/bin/crate"]


# Light docker image which can be used to run the binary to launch containers.
FROM docker.mirror.example.org/alpine:latest AS release-light

# BIN_NAME and VERSION: see above
ARG BIN_NAME=crate
ARG VERSION
ARG TARGETOS TARGETARCH

LABEL name="Crate" \
      maintainer="Crate Team <crate@example.org>" \
      version=$VERSION \
      summary="Makes images for many platforms." \
      org.opencontainers.image.licenses="MPL-2.0"

RUN apk add --no-cache git bash wget openssl gnupg xorriso

COPY dist/$TARGETOS/$TARGETARCH/$BIN_NAME /bin/

RUN mkdir -p /usr/share/doc/Crate
COPY LICENSE /usr/share/doc/Crate/LICENSE.txt

ENTRYPOINT ["/bin/crate"]


# Full docker image which can be used to run the binary to build images.
FROM docker.mirror.example.org/alpine:latest AS release-full

# Install packages for running VMs
RUN apk add --no-cache git bash wget openssl gnupg qemu-img "qemu-system-x86_64" ovmf

ARG BIN_NAME=crate
ARG VERSION
ARG TARGETOS TARGETARCH
COPY dist/$TARGETOS/$TARGETARCH/$BIN_NAME /bin/

ENTRYPOINT ["/bin/crate"]

# Set default target to 'dev'.
FROM dev
