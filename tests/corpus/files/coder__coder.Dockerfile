# escape=\
# Shape of: github.com/coder/coder (.devcontainer/Dockerfile)
# the directive above says what is so anyway
FROM ubuntu:22.04

SHELL ["/bin/bash", "-c"]
ENV EDITOR=vim

RUN apt-get update && apt-get upgrade --yes && \
    apt-get install --yes \
        ca-certificates \
        bash-completion \
        build-essential \
        curl \
        cmake \
        direnv \
        emacs-nox \
        gnupg \
        htop \
        jq \
        less \
        lsb-release \
        lsof \
        man-db \
        nano \
        neovim \
        ssl-cert \
        sudo \
        unzip \
        xz-utils \
        zip

# configure locales to UTF8
RUN apt-get install locales && locale-gen en_US.UTF-8
ENV LANG='en_US.UTF-8' LANGUAGE='en_US:en' LC_ALL='en_US.UTF-8'

# install the package manager as a user: it refuses to be root's
RUN useradd programmer --create-home --shell=/bin/bash --groups=sudo --uid=1000 --user-group
RUN sed --in-place=.bak 's/ALL$/NOPASSWD:ALL/g' /etc/sudoers
USER programmer
RUN curl -L https://nix.example.org/install -o nix-installer.sh && sh nix-installer.sh --no-daemon
RUN mkdir --parents $HOME/.config/nix && touch $HOME/.config/nix/nix.conf && \
    echo 'experimental-features = nix-command flakes' >> $HOME/.config/nix/nix.conf
WORKDIR /home/programmer
ENV PATH="/home/programmer/.nix-profile/bin:$PATH"
USER root
CMD ["/bin/bash", "-l"]
