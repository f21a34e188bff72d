# Shape of: github.com/graalvm/container (graalvm-community/Dockerfile.ol9-java22)
FROM container-registry.example.com/os/oraclelinux:9-slim

RUN microdnf install -y bzip2-devel findutils fontconfig gcc gcc-c++ glibc-langpack-en glibc-static gzip less \
    libcurl-devel libstdc++-static make openssl-devel tar vi which xz-devel zlib-devel zlib-static \
    && microdnf clean all

RUN fc-cache -f -v

ARG BREW_VERSION=21.0.2
ARG JAVA_VERSION=java21
ARG MIRROR=""

ENV LANG=en_US.UTF-8 \
    JAVA_HOME=/opt/brew/

ADD components /usr/local/bin/components
RUN set -eux \
    && if [ "$(uname -m)" == "aarch64" ]; then PORT="aarch64"; else PORT="x64"; fi \
    && curl -fsSL --retry 3 ${MIRROR:-https://releases.example.org}/brew-${BREW_VERSION}-${PORT}.tgz | tar xz -C /opt \
    && mv /opt/brew-* /opt/brew \
    # every tool of it by its name
    && for tool in "$JAVA_HOME"/bin/*; do \
        alternatives --install "/usr/bin/${tool##*/}" "${tool##*/}" "$tool" 2100; \
    done \
    && chmod +x /usr/local/bin/components

CMD java -version
