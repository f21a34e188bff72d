# Shape of: github.com/containers/podman (contrib/podmanimage/stable/Dockerfile)
# stable/Dockerfile
#
# A container engine in a container:
# the newest release on the newest system.
#
FROM registry.fedoraproject.example.org/fedora:latest

# Policies are the host's.
# What the package manager keeps is
# thrown away.
RUN dnf -y update && \
    rpm --setcaps shadow-utils 2>/dev/null && \
    dnf -y install seal fuse-overlayfs openssh-clients \
        --exclude container-selinux && \
    dnf clean all && \
    rm -rf /var/cache /var/log/dnf* /var/log/yum.*

RUN useradd seal; \
echo -e "seal:1:999\nseal:1001:64535" > /etc/subuid; \
echo -e "seal:1:999\nseal:1001:64535" > /etc/subgid;

ARG _REPO_URL="https://raw.example.org/seal/main/contrib/image"
ADD $_REPO_URL/containers.conf /etc/containers/containers.conf
ADD $_REPO_URL/seal-containers.conf /home/seal/.config/containers/containers.conf

RUN mkdir -p /home/seal/.local/share/containers && \
    chown seal:seal -R /home/seal && \
    chmod 644 /etc/containers/containers.conf

# The defaults with three changes,
# as overlays can't be mounted over overlays.
RUN sed -e 's|^#mount_program|mount_program|g' \
           -e '/additionalimage.*/a "/var/lib/shared",' \
           -e 's|^mountopt[[:space:]]*=.*$|mountopt = "nodev,fsync=0"|g' \
           /usr/share/containers/storage.conf \
           > /etc/containers/storage.conf

# Last: what is changed below a volume
# by a later step is lost
VOLUME /var/lib/containers
VOLUME /home/seal/.local/share/containers

RUN mkdir -p /var/lib/shared/overlay-images \
             /var/lib/shared/overlay-layers && \
    touch /var/lib/shared/overlay-images/images.lock && \
    touch /var/lib/shared/overlay-layers/layers.lock

ENV _CONTAINERS_USERNS_CONFIGURED="" \
    BUILDAH_ISOLATION=chroot
