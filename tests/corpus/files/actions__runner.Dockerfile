# Shape of: github.com/actions/runner (images/Dockerfile)
# has the libraries a self-contained program needs
FROM mcr.microsoft.com/dotnet/runtime-deps:8.0-jammy AS build

ARG TARGETOS
ARG TARGETARCH
ARG WALKER_VERSION
ARG WALKER_HOOKS_VERSION=0.6.1
ARG DOCKER_VERSION=27.3.1
ARG BUILDX_VERSION=0.18.0

RUN apt update -y && apt install curl unzip -y

WORKDIR /walker
RUN export WALKER_ARCH=${TARGETARCH} \
    && if [ "$WALKER_ARCH" = "amd64" ]; then export WALKER_ARCH=x64 ; fi \
    && curl -f -L -o walker.tar.gz https://releases.example.org/v${WALKER_VERSION}/walker-${TARGETOS}-${WALKER_ARCH}-${WALKER_VERSION}.tar.gz \
    && tar xzf ./walker.tar.gz \
    && rm walker.tar.gz

RUN curl -f -L -o hooks.zip https://releases.example.org/hooks/v${WALKER_HOOKS_VERSION}/hooks-k8s-${WALKER_HOOKS_VERSION}.zip \
    && unzip ./hooks.zip -d ./k8s \
    && rm hooks.zip

RUN export WALKER_ARCH=${TARGETARCH} \
    && if [ "$WALKER_ARCH" = "amd64" ]; then export DOCKER_ARCH=x86_64 ; fi \
    && if [ "$WALKER_ARCH" = "arm64" ]; then export DOCKER_ARCH=aarch64 ; fi \
    && curl -fLo docker.tgz https://download.example.org/${TARGETOS}/static/stable/${DOCKER_ARCH}/docker-${DOCKER_VERSION}.tgz \
    && tar zxvf docker.tgz \
    && rm -rf docker.tgz \
    && mkdir -p /usr/local/lib/docker/cli-plugins

FROM mcr.microsoft.com/dotnet/runtime-deps:8.0-jammy

ENV DEBIAN_FRONTEND=noninteractive
ENV WALKER_MANUALLY_TRAP_SIG=1
ENV ACTIONS_WALKER_PRINT_LOG_TO_STDOUT=1
ENV ImageOS=ubuntu22

# the last ones are for an archive's key
RUN apt update -y \
    && apt install -y --no-install-recommends sudo lsb-release gpg-agent software-properties-common curl jq unzip \
    && rm -rf /var/lib/apt/lists/*

# a newer git
RUN add-apt-repository ppa:git-core/ppa \
    && apt update -y \
    && apt install -y --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

RUN adduser --disabled-password --gecos "" --uid 1001 walker \
    && groupadd docker --gid 123 \
    && usermod -aG sudo walker \
    && usermod -aG docker walker \
    && echo "%sudo   ALL=(ALL:ALL) NOPASSWD:ALL" > /etc/sudoers \
    && echo "Defaults env_keep += \"DEBIAN_FRONTEND\"" >> /etc/sudoers \
    && chmod 777 /home/walker

WORKDIR /home/walker

COPY --chown=walker:docker --from=build /walker .
COPY --from=build /usr/local/lib/docker/cli-plugins/docker-buildx /usr/local/lib/docker/cli-plugins/docker-buildx

RUN install -o root -g root -m 755 docker/* /usr/bin/ && rm -rf docker

USER walker
