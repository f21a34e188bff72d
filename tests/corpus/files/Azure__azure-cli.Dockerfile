# Shape of: github.com/Azure/azure-cli (azure-linux.dockerfile)
# Copyright: see LICENSE.
ARG IMAGE=mcr.microsoft.com/azurelinux/base/core:3.0

FROM $IMAGE AS build

ARG IMAGE

RUN --mount=type=bind,target=/sky.rpm,source=./docker-temp/sky.rpm <<EOF
    set -e
    # tdnf is too small for what follows
    tdnf install -y dnf shadow-utils
    dnf upgrade -y
    # the package, without what it only recommends
    dnf install -y --setopt=install_weak_deps=False /sky.rpm
    # tools its users expect beside it
    dnf install -y ca-certificates openssh-clients jq
    dnf clean all && rm -rf /var/cache/dnf
    useradd -m nonroot
    sky --version
EOF

ENV SKY_INSTALLER=DOCKER \
    SKY_TELEMETRY=0

CMD ["bash"]
