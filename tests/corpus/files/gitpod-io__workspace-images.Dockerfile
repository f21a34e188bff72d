# Shape of: github.com/gitpod-io/workspace-images (base/Dockerfile)
FROM buildpack-deps:jammy

COPY install-packages upgrade-packages /usr/bin/

### base ###
ARG DEBIAN_FRONTEND=noninteractive

RUN yes | unminimize \
    && install-packages \
        zip \
        unzip \
        bash-completion \
        build-essential \
        ninja-build \
        htop \
        iputils-ping \
        jq \
        less \
        locales \
        man-db \
        nano \
        software-properties-common \
        sudo \
        stow \
        time \
        emacs-nox \
        vim \
        multitail \
        lsof \
    && locale-gen en_US.UTF-8

ENV LANG=en_US.UTF-8

### Git ###
RUN add-apt-repository -y ppa:git-core/ppa \
    && install-packages git git-lfs

### user ###
# '-l': see https://docs.example.org/best-practices/#user
RUN useradd -l -u 33333 -G sudo -md /home/pod -s /bin/bash -p pod pod \
    # nobody has a password here
    && sed -i.bkp -e 's/%sudo\s\+ALL=(ALL\(:ALL\)\?)\s\+ALL/%sudo ALL=NOPASSWD:ALL/g' /etc/sudoers
ENV HOME=/home/pod
WORKDIR $HOME
RUN { echo && echo "PS1='\[\033[01;32m\]\u\[\033[00m\] \[\033[01;34m\]\w\[\033[00m\]\$(__git_ps1 \" (%s)\") $ '" ; } >> .bashrc

### user (2) ###
USER pod
# the lecture is given once, and now
RUN sudo echo "Running 'sudo': success" && \
    # other images add files to it
    mkdir -p /home/pod/.bashrc.d && \
    (echo; echo "for i in \$(ls -A \$HOME/.bashrc.d/); do source \$HOME/.bashrc.d/\$i; done"; echo) >> /home/pod/.bashrc

# configure git-lfs
RUN sudo git lfs install --system --skip-repo
