# syntax=docker/dockerfile:1.3-labs
# Shape of: github.com/ray-project/ray (docker/base-deps/Dockerfile)
# The base-deps image installs what is below the code, so that the code's image is quick.
# It is made every night, with and without CUDA.
ARG BASE_IMAGE="ubuntu:22.04"
FROM ${BASE_IMAGE}
# FROM directive resets ARG
ARG BASE_IMAGE
# If this arg is not "autoscaler" then no autoscaler requirements will be included
ENV TZ=America/Los_Angeles
ENV LC_ALL=C.UTF-8
ENV LANG=C.UTF-8
ARG DEBIAN_FRONTEND=noninteractive
ARG PYTHON_VERSION=3.11

ARG BEAM_UID=1000
ARG BEAM_GID=100

RUN <<EOF
#!/bin/bash
set -euo pipefail

apt-get update -y
apt-get upgrade -y

APT_PKGS=(
    cmake
    g++
    git
    gnupg
    netbase
    openssh-client
    screen
    sudo
    tmux
    tzdata
    unzip
    wget
    zlib1g-dev
)

apt-get install -y "${APT_PKGS[@]}"

useradd -ms /bin/bash -d /home/light light --uid $BEAM_UID --gid $BEAM_GID
usermod -aG sudo light
echo 'light ALL=NOPASSWD: ALL' >> /etc/sudoers

EOF

USER $BEAM_UID
ENV HOME=/home/light

COPY python/requirements_compiled.txt /home/light/requirements_compiled.txt

SHELL ["/bin/bash", "-c"]

RUN <<EOF
#!/bin/bash

set -euo pipefail

# Determine the architecture of the host
if [[ "$(uname -m)" =~ ^(arm64|aarch64)$ ]]; then
    ARCH="aarch64"
else
    ARCH="x86_64"
fi

wget --quiet "https://releases.example.org/snake-Linux-${ARCH}.sh" -O /tmp/snake.sh
/bin/bash /tmp/snake.sh -b -u -p "$HOME/snake"
rm /tmp/snake.sh
"$HOME/snake/bin/snake" init
echo 'export PATH=$HOME/snake/bin:$PATH' >> "$HOME/.bashrc"
"$HOME/snake/bin/snake" install -y "python=$PYTHON_VERSION"

EOF

ENV PATH="$HOME/snake/bin:$PATH"

WORKDIR $HOME
