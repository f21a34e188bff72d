# Shape of: github.com/rancher/rancher (package/Dockerfile)
FROM registry.example.com/bci/bci-micro:15.6 AS final

# Image that provides cross compilation tooling.
FROM --platform=$BUILDPLATFORM registry.example.com/bci/bci-base:15.6 AS zypper

# Creates the based dir for the target image, and hydrates it with the
# original contents of the final image.
RUN mkdir /chroot
COPY --from=final / /chroot/

# The final image does not contain zypper, --installroot is used to
# install all artefacts within a dir (/chroot) that can then be copied
# over to a scratch image.
RUN zypper refresh && \
    zypper --installroot /chroot -n rm busybox-vi busybox-links && \
    zypper --installroot /chroot -n in --no-recommends \
        curl util-linux ca-certificates ca-certificates-mozilla jq git-core hostname iptables vim-small less \
        bash-completion bind-utils acl openssh-clients tar gzip xz gawk sysstat openssl && \
    zypper --installroot /chroot clean -a && \
    rm -rf /chroot/var/cache/zypp/* /chroot/var/log/zypp/* /chroot/tmp/* /chroot/var/tmp/* /chroot/usr/share/doc/packages/*

FROM scratch
COPY --from=zypper /chroot /
RUN useradd cattleman && \
    mkdir -p /var/lib/cattleman /var/lib/ranch /opt/jail /opt/drivers/management-state/bin && \
    chmod 700 /var/lib/cattleman

WORKDIR /var/lib/cattleman
ARG ARCH=amd64
ARG IMAGE_REPO=ranch
ARG SYSTEM_CHART_DEFAULT_BRANCH=dev-v2.9
ARG CHART_DEFAULT_BRANCH=dev-v2.9
ENV CATTLE_SYSTEM_CHART_DEFAULT_BRANCH=$SYSTEM_CHART_DEFAULT_BRANCH \
    CATTLE_CHART_DEFAULT_BRANCH=$CHART_DEFAULT_BRANCH
ENV CATTLE_HELM_VERSION v2.17.0
ENV CATTLE_MACHINE_VERSION v0.15.0
ENV TINI_VERSION v0.19.0
ENV HELM_URL_V2_amd64=https://releases.example.org/helm/helm \
    HELM_URL_V2_arm64=https://releases.example.org/helm/helm-arm64 \
    HELM_URL_V2=HELM_URL_V2_${ARCH} \
    TINI_URL_amd64=https://releases.example.org/tini/${TINI_VERSION}/tini \
    TINI_URL_arm64=https://releases.example.org/tini/${TINI_VERSION}/tini-arm64 \
    TINI_URL=TINI_URL_${ARCH}
SHELL ["/bin/bash", "-c"]
# ${!NAME} is the shell's, not the builder's
RUN curl -sLf ${!TINI_URL} > /usr/bin/tini && \
    curl -sLf ${!HELM_URL_V2} > /usr/bin/ranch-helm && \
    chmod +x /usr/bin/ranch-helm /usr/bin/tini
ENV CATTLE_AGENT_IMAGE ${IMAGE_REPO}/ranch-agent:v2.9
ENV CATTLE_UI_VERSION 2.9.3
ENV ETCD_UNSUPPORTED_ARCH=${ETCD_UNSUPPORTED_ARCH}
ENV SSL_CERT_DIR /etc/ranch/ssl
VOLUME /var/lib/ranch
VOLUME /var/lib/kubelet
VOLUME /var/lib/cni
VOLUME /var/log
ENTRYPOINT ["entrypoint.sh"]
