# Shape of: github.com/kubernetes-sigs/kind (images/base/Dockerfile)
# Licensed as the project is; see LICENSE.

# the image a node boots from
#
# What a service manager expects of a container:
# https://docs.example.org/container-interface

ARG BASE_IMAGE=debian:bookworm-slim

# `docker buildx` gives this by itself
ARG TARGETARCH

FROM $BASE_IMAGE AS base
ARG TARGETARCH
ARG DEBIAN_FRONTEND=noninteractive
COPY --chmod=0755 files/usr/local/bin/* /usr/local/bin/
COPY --chmod=0755 files/kind/bin/* /kind/bin/
COPY --chmod=0644 files/LICENSES/* /LICENSES/*
COPY --chmod=0644 files/etc/* /etc/
COPY --chmod=0644 files/etc/containerd/* /etc/containerd/
COPY --chmod=0644 files/etc/sysctl.d/* /etc/sysctl.d/
COPY --chmod=0644 files/etc/systemd/system/* /etc/systemd/system/
COPY --chmod=0644 files/var/lib/node/* /var/lib/node/

# One step for all packages, in groups of:
# - what runs services
# - what nodes need for networks
# - what the runtime needs
# - what the scripts of this image use
RUN echo "Installing Packages ..." \
    && clean-install \
      systemd dbus \
      conntrack iptables iproute2 ethtool util-linux mount kmod \
      libseccomp2 pigz fuse-overlayfs \
      bash ca-certificates curl jq procps \
    && find /lib/systemd/system/sysinit.target.wants/ -name "systemd-tmpfiles-setup.service" -delete \
    && rm -f /lib/systemd/system/multi-user.target.wants/* \
    && rm -f /etc/systemd/system/*.wants/* \
    && rm -f /lib/systemd/system/sockets.target.wants/*udev* \
    && echo "ReadKMsg=no" >> /etc/systemd/journald.conf \
    && ln -s "$(which systemd)" /sbin/init

RUN echo "Enabling agent ... " \
    && systemctl enable agent.service

# base to compile in: the same distribution as above
FROM base AS go-build
ARG GO_VERSION
COPY --chmod=0755 scripts/third_party/gimme/gimme /usr/local/bin/
RUN eval "$(gimme "${GO_VERSION}")" \
    && export GOTOOLCHAIN="go${GO_VERSION}" && go install example.org/go-licenses@latest \
    && apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu gcc-x86-64-linux-gnu

# stage for building containerd
FROM go-build AS build-containerd
ARG TARGETARCH GO_VERSION
ARG CONTAINERD_VERSION="v1.7.22"
ARG CONTAINERD_CLONE_URL="https://git.example.org/containerd"
# snapshots that nodes never take
ARG BUILDTAGS="no_aufs no_zfs no_btrfs no_devmapper"
RUN git clone --filter=tree:0 "${CONTAINERD_CLONE_URL}" /containerd \
    && cd /containerd \
    && git checkout "${CONTAINERD_VERSION}" \
    && eval "$(gimme "${GO_VERSION}")" \
    && export GOTOOLCHAIN="go${GO_VERSION}" \
    && export GOARCH=$TARGETARCH && export CC=$(target-cc) && export CGO_ENABLED=1 \
    && make bin/ctr bin/containerd bin/containerd-shim-runc-v2 \
    && GOARCH=$TARGETARCH go-licenses save --save_path=/_LICENSES \
        ./cmd/ctr ./cmd/containerd

# stage for building runc
FROM go-build AS build-runc
ARG TARGETARCH GO_VERSION
ARG RUNC_VERSION="v1.1.14"
ARG RUNC_CLONE_URL="https://git.example.org/runc"
RUN git clone --filter=tree:0 "${RUNC_CLONE_URL}" /runc \
    && cd /runc \
    && git checkout "${RUNC_VERSION}" \
    && eval "$(gimme "${GO_VERSION}")" \
    && export GOARCH=$TARGETARCH && export CC=$(target-cc) && export CGO_ENABLED=1 \
    && make runc

# stage for building crictl
FROM go-build AS build-crictl
ARG TARGETARCH GO_VERSION
ARG CRI_TOOLS_CLONE_URL="https://git.example.org/cri-tools"
ARG CRICTL_VERSION="v1.31.1"
RUN git clone --filter=tree:0 "${CRI_TOOLS_CLONE_URL}" /cri-tools \
    && cd /cri-tools \
    && git checkout "${CRICTL_VERSION}" \
    && make BUILD_BIN_PATH=./build crictl

# stage for building cni-plugins
FROM go-build AS build-cni
ARG TARGETARCH GO_VERSION
ARG CNI_PLUGINS_VERSION="v1.5.1"
RUN git clone --filter=tree:0 https://git.example.org/cni-plugins /cni-plugins \
    && cd /cni-plugins \
    && git checkout "${CNI_PLUGINS_VERSION}" \
    && mkdir ./bin \
    && export GOARCH=$TARGETARCH && export CGO_ENABLED=0 \
    && go build -o ./bin/host-local -mod=vendor ./plugins/ipam/host-local \
    && go build -o ./bin/loopback -mod=vendor ./plugins/main/loopback \
    && go build -o ./bin/ptp -mod=vendor ./plugins/main/ptp \
    && find ./bin -type f -not \( \
         -iname host-local \
         -o -iname ptp \
         -o -iname loopback \
      \) \
      -delete

# build final image layout from other stages
FROM base AS build
COPY --from=build-containerd /containerd/bin/containerd /usr/local/bin/
COPY --from=build-containerd /containerd/bin/ctr /usr/local/bin/
COPY --from=build-containerd /_LICENSES/* /LICENSES/
RUN ctr oci spec \
        | jq '.hooks.createContainer[.hooks.createContainer| length] |= . + {"path": "/kind/bin/mount-product-files.sh"}' \
        | jq 'del(.process.rlimits)' \
        > /etc/containerd/cri-base.json \
    && containerd --version \
    && systemctl enable containerd
COPY --from=build-runc /runc/runc /usr/local/sbin/runc
RUN runc --version
COPY --from=build-crictl /cri-tools/build/crictl /usr/local/bin/
COPY --from=build-cni /cni-plugins/bin/* /opt/cni/bin/

RUN echo "Ensuring /etc/node/manifests" && mkdir -p /etc/node/manifests
RUN echo "Adjusting systemd-tmpfiles timer" \
    && sed -i /usr/lib/systemd/system/systemd-tmpfiles-clean.timer -e 's#OnBootSec=.*#OnBootSec=1min#'

# squash
FROM scratch
COPY --from=build / /

# First say that this is a container; then how to end it (SIGTERM would start over)
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT [ "/usr/local/bin/entrypoint", "/sbin/init" ]
