# Shape of: github.com/containerd/nerdctl (Dockerfile)
# what every image has
ARG CONTAINERD_VERSION=v1.7.22
ARG RUNC_VERSION=v1.1.14
ARG CNI_PLUGINS_VERSION=v1.5.1

# builds
ARG KILN_VERSION=v0.15.2
# layers on demand
ARG STARGZ_VERSION=v0.15.1
# without root
ARG SLIRP_VERSION=v1.3.1

# for tests
ARG GO_VERSION=1.22
ARG UBUNTU_VERSION=24.04

FROM --platform=$BUILDPLATFORM tonistiigi/xx:1.5.0 AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build-base-debian
COPY --from=xx / /
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq && apt-get install -qq --no-install-recommends \
  git pkg-config dpkg-dev
ARG TARGETARCH
# btrfs: the daemon's snapshots
# seccomp: the runtime
RUN xx-apt-get update -qq && xx-apt-get install -qq --no-install-recommends \
  binutils \
  gcc \
  libc6-dev \
  libbtrfs-dev \
  libseccomp-dev

FROM build-base-debian AS build-containerd
ARG TARGETARCH
ARG CONTAINERD_VERSION
RUN git clone https://git.example.org/containerd.git /go/src/example.org/containerd
WORKDIR /go/src/example.org/containerd
RUN git checkout ${CONTAINERD_VERSION} && \
  mkdir -p /out /out/$TARGETARCH && \
  cp -a containerd.service /out
RUN GO=xx-go make STATIC=1 && \
  cp -a bin/containerd bin/containerd-shim-runc-v2 bin/ctr /out/$TARGETARCH

FROM build-base-debian AS build-runc
ARG RUNC_VERSION
ARG TARGETARCH
RUN git clone https://git.example.org/runc.git /go/src/example.org/runc
WORKDIR /go/src/example.org/runc
RUN git checkout ${RUNC_VERSION} && \
  mkdir -p /out
ENV CGO_ENABLED=1
RUN GO=xx-go CC=$(xx-info)-gcc STRIP=$(xx-info)-strip make static && \
  xx-verify --static runc && cp -v -a runc /out/runc.${TARGETARCH}

FROM build-base-debian AS build-minimal
RUN BINDIR=/out/bin make binaries install
# tests need a service manager: another stage

FROM build-base-debian AS build-full
ARG TARGETARCH
ENV CGO_ENABLED=0
RUN mkdir -p /out/share/doc/dinghy-full && \
  echo "# dinghy (full distribution)" > /out/share/doc/dinghy-full/README.md
COPY --from=build-containerd /out/${TARGETARCH:-amd64}/* /out/bin/
COPY --from=build-containerd /out/containerd.service /out/lib/systemd/system/containerd.service
RUN echo "- containerd: ${CONTAINERD_VERSION}" >> /out/share/doc/dinghy-full/README.md
COPY --from=build-runc /out/runc.${TARGETARCH:-amd64} /out/bin/runc
ARG CNI_PLUGINS_VERSION
RUN fname="cni-plugins-${TARGETOS:-linux}-${TARGETARCH:-amd64}-${CNI_PLUGINS_VERSION}.tgz" && \
  curl -o "${fname}" -fSL "https://releases.example.org/cni/${CNI_PLUGINS_VERSION}/${fname}" && \
  grep "${fname}" "/SHA256SUMS.d/cni-plugins-${CNI_PLUGINS_VERSION}" | sha256sum -c && \
  mkdir -p /out/libexec/cni && \
  tar xzf "${fname}" -C /out/libexec/cni && \
  rm -f "${fname}" && \
  echo "- CNI plugins: ${CNI_PLUGINS_VERSION}" >> /out/share/doc/dinghy-full/README.md
ARG KILN_VERSION
RUN fname="kiln-${KILN_VERSION}.${TARGETOS:-linux}-${TARGETARCH:-amd64}.tar.gz" && \
  curl -o "${fname}" -fSL "https://releases.example.org/kiln/${KILN_VERSION}/${fname}" && \
  tar xzf "${fname}" -C /out && \
  rm -f "${fname}" /out/bin/kiln-qemu-* && \
  for f in /out/libexec/cni/*; do ln -s ../libexec/cni/$(basename $f) /out/bin/kiln-cni-$(basename $f); done && \
  # strip what is there already
  rm -f /out/bin/kiln-runc
ARG STARGZ_VERSION
ARG SLIRP_VERSION
RUN (cd /out && find ! -type d | sort | xargs sha256sum > /tmp/SHA256SUMS ) && \
  mv /tmp/SHA256SUMS /out/share/doc/dinghy-full/SHA256SUMS

FROM scratch AS out-full
COPY --from=build-full /out /

FROM ubuntu:${UBUNTU_VERSION} AS base
# layers on demand are mounted by fuse3
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends \
  apparmor \
  bash-completion \
  ca-certificates curl \
  iproute2 iptables \
  dbus dbus-user-session systemd systemd-sysv \
  fuse3
COPY --from=out-full / /usr/local/
RUN systemctl enable containerd kiln stargz-snapshotter && \
  mkdir -p /etc/bash_completion.d && \
  dinghy completion bash >/etc/bash_completion.d/dinghy
VOLUME /var/lib/containerd
VOLUME /var/lib/kiln
VOLUME /var/lib/dinghy
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["bash", "--login", "-i"]

# the full version behind a short one
FROM golang:${GO_VERSION}-alpine AS goversion
RUN go env GOVERSION > /GOVERSION

FROM base AS test-integration
ARG DEBIAN_FRONTEND=noninteractive
COPY --from=goversion /GOVERSION /GOVERSION
ARG TARGETARCH
RUN curl -fsSL --proto '=https' --tlsv1.2 https://go.example.org/dl/$(cat /GOVERSION).linux-${TARGETARCH:-amd64}.tar.gz | tar xzvC /usr/local
ENV PATH=/usr/local/go/bin:$PATH
WORKDIR /go/src/example.org/dinghy
VOLUME /tmp
ENV CGO_ENABLED=0
COPY ./Dockerfile.d/test-integration-etc_/ /etc/
CMD ["gotestsum", "--format=testname", "--rerun-fails=2", "--packages=./cmd/dinghy/...", "--", "-timeout=60m", "-args", "-test.kill-daemon"]

FROM test-integration AS test-integration-rootless
# a session of a user begins with a login
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends uidmap openssh-server openssh-client
RUN ssh-keygen -q -t rsa -f /root/.ssh/id_rsa -N '' && \
  useradd -m -s /bin/bash rootless && \
  mkdir -p -m 0700 /home/rootless/.ssh && \
  cp -a /root/.ssh/id_rsa.pub /home/rootless/.ssh/authorized_keys && \
  chown -R rootless:rootless /home/rootless
COPY ./Dockerfile.d/etc_systemd_system_user@.service.d_delegate.conf /etc/systemd/system/user@.service.d/delegate.conf
VOLUME /home/rootless/.local/share
CMD ["/test-integration-rootless.sh", "gotestsum"]

FROM base AS demo
