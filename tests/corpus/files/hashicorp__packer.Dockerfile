# Shape of: github.com/hashicorp/packer (Dockerfile)
# ========================================================================
#
# Several images in one file;
# --target chooses.
#
# Those for releases want
# --build-arg VERSION=…
#
# ========================================================================

# For those who change it:
# what they have compiled in bin/
FROM docker.mirror.example.org/alpine:latest AS dev

RUN apk add --no-cache git bash openssl ca-certificates

COPY bin/crate /bin/crate

ENTRYPOINT ["/bin/crate"]


# Without virtual machines
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


# With them
FROM docker.mirror.example.org/alpine:latest AS release-full

RUN apk add --no-cache git bash wget openssl gnupg qemu-img "qemu-system-x86_64" ovmf

ARG BIN_NAME=crate
ARG VERSION
ARG TARGETOS TARGETARCH
COPY dist/$TARGETOS/$TARGETARCH/$BIN_NAME /bin/

ENTRYPOINT ["/bin/crate"]

# what no --target chooses
FROM dev
