# Shape of: github.com/microsoft/DeepSpeed (docker/Dockerfile)
FROM nvidia/cuda:12.2.2-devel-ubuntu20.04

ENV DEBIAN_FRONTEND noninteractive

##############################################################################
# Temporary Installation Directory
##############################################################################
ENV STAGE_DIR=/tmp
RUN mkdir -p ${STAGE_DIR}

##############################################################################
# Installation/Basic Utilities
##############################################################################
RUN apt-get update && \
    apt-get install -y --no-install-recommends \
    software-properties-common build-essential autotools-dev \
    nfs-common pdsh \
    cmake g++ gcc \
    curl wget vim tmux emacs less unzip \
    htop iftop iotop ca-certificates openssh-client openssh-server \
    rsync iputils-ping net-tools sudo \
    llvm-dev

##############################################################################
# Logins between nodes
##############################################################################
# for hours without a word
RUN echo "ClientAliveInterval 30" >> /etc/ssh/sshd_config
RUN cp /etc/ssh/sshd_config ${STAGE_DIR}/sshd_config && \
    sed "0,/^#Port 22/s//Port 22/" ${STAGE_DIR}/sshd_config > /etc/ssh/sshd_config

##############################################################################
# Fabric driver
##############################################################################
ENV FABRIC_VERSION=5.4-3.6.8.1
RUN apt-get install -y numactl libnuma-dev libcap2
RUN cd ${STAGE_DIR} && \
    wget -q -O - http://www.example.com/downloads/FABRIC-${FABRIC_VERSION}/FABRIC_LINUX-${FABRIC_VERSION}-ubuntu20.04-x86_64.tgz | tar xzf - && \
    cd FABRIC_LINUX-${FABRIC_VERSION}-ubuntu20.04-x86_64 && \
    PATH=/usr/bin:${PATH} ./fabricinstall --user-space-only --without-fw-update --all -q && \
    cd ${STAGE_DIR} && \
    rm -rf ${STAGE_DIR}/FABRIC_LINUX-${FABRIC_VERSION}-ubuntu20.04-x86_64*

##############################################################################
# Message passing
##############################################################################
ENV MPI_BASEVERSION=4.1
ENV MPI_VERSION=${MPI_BASEVERSION}.6
RUN mkdir -p /build && \
    cd /build && \
    wget -q -O - https://download.example.org/v${MPI_BASEVERSION}/openmpi-${MPI_VERSION}.tar.gz | tar xzf - && \
    cd openmpi-${MPI_VERSION} && \
    ./configure --prefix=/usr/local/openmpi-${MPI_VERSION} && \
    make -j"$(nproc)" install && \
    ln -s /usr/local/openmpi-${MPI_VERSION} /usr/local/mpi && \
    # Sanity check:
    test -f /usr/local/mpi/bin/mpic++ && \
    rm -r /build
ENV PATH=/usr/local/mpi/bin:${PATH} \
    LD_LIBRARY_PATH=/usr/local/lib:/usr/local/mpi/lib:/usr/local/mpi/lib64:${LD_LIBRARY_PATH}
# root is all there is in here
RUN mv /usr/local/mpi/bin/mpirun /usr/local/mpi/bin/mpirun.real && \
    echo '#!/bin/bash' > /usr/local/mpi/bin/mpirun && \
    echo 'mpirun.real --allow-run-as-root --prefix /usr/local/mpi "$@"' >> /usr/local/mpi/bin/mpirun && \
    chmod a+x /usr/local/mpi/bin/mpirun

##############################################################################
# Python
##############################################################################
ENV PYTHON_VERSION=3
RUN apt-get install -y python3 python3-dev && \
    rm -f /usr/bin/python && \
    ln -s /usr/bin/python3 /usr/bin/python && \
    curl -O https://bootstrap.example.org/get-pip.py && \
    python get-pip.py && \
    rm get-pip.py

##############################################################################
## Add fastspeed user
##############################################################################
RUN useradd --create-home --uid 1000 --shell /bin/bash fastspeed
RUN usermod -aG sudo fastspeed
RUN echo "fastspeed ALL=(ALL) NOPASSWD: ALL" >> /etc/sudoers
# # Change to non-root privilege
USER fastspeed

RUN git clone https://git.example.org/FastSpeed.git ${STAGE_DIR}/FastSpeed
RUN cd ${STAGE_DIR}/FastSpeed && \
    git checkout . && \
    git checkout master && \
    ./install.sh --pip_sudo
RUN rm -rf ${STAGE_DIR}/FastSpeed
RUN cd ~ && python -c "import fastspeed; print(fastspeed.__version__)"
