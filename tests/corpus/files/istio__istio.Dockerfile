# Shape of: github.com/istio/istio (pilot/docker/Dockerfile.pilot)
# debug or distroless
ARG BASE_DISTRIBUTION=debug

# of both
ARG SAIL_BASE_REGISTRY=gcr.io/sail-release
ARG BASE_VERSION=latest

FROM ${SAIL_BASE_REGISTRY}/base:${BASE_VERSION} AS debug

FROM ${SAIL_BASE_REGISTRY}/distroless:${BASE_VERSION} AS distroless

# one of the two
# hadolint ignore=DL3006
FROM ${BASE_DISTRIBUTION:-debug}

ARG TARGETARCH
COPY ${TARGETARCH:-amd64}/helmsman /usr/local/bin/helmsman

COPY bootstrap_tmpl.json /var/lib/sail/bootstrap/bootstrap_tmpl.json
COPY gcp_bootstrap_tmpl.json /var/lib/sail/bootstrap/gcp_bootstrap_tmpl.json

USER 1337:1337

ENTRYPOINT ["/usr/local/bin/helmsman"]
