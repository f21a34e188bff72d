# Shape of: github.com/istio/istio (pilot/docker/Dockerfile.pilot)
# BASE_DISTRIBUTION is used to switch between the old base distribution and distroless base images
ARG BASE_DISTRIBUTION=debug

# Version is the base image version from the TLD Makefile
ARG SAIL_BASE_REGISTRY=gcr.io/sail-release
ARG BASE_VERSION=latest

# The following section is used as base image if BASE_DISTRIBUTION=debug
FROM ${SAIL_BASE_REGISTRY}/base:${BASE_VERSION} AS debug

# The following section is used as base image if BASE_DISTRIBUTION=distroless
FROM ${SAIL_BASE_REGISTRY}/distroless:${BASE_VERSION} AS distroless

# This will build the final image based on either debug or distroless from above
# hadolint ignore=DL3006
FROM ${BASE_DISTRIBUTION:-debug}

ARG TARGETARCH
COPY ${TARGETARCH:-amd64}/helmsman /usr/local/bin/helmsman

# Copy templates for bootstrap generation.
COPY bootstrap_tmpl.json /var/lib/sail/bootstrap/bootstrap_tmpl.json
COPY gcp_bootstrap_tmpl.json /var/lib/sail/bootstrap/gcp_bootstrap_tmpl.json

USER 1337:1337

ENTRYPOINT ["/usr/local/bin/helmsman"]
