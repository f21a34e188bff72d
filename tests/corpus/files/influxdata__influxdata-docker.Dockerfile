# Shape of: github.com/influxdata/influxdata-docker (telegraf/1.32/Dockerfile)
FROM buildpack-deps:bookworm-curl

RUN DEBIAN_FRONTEND=noninteractive apt-get update && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y iputils-ping snmp procps lm-sensors libcap2-bin && \
    rm -rf /var/lib/apt/lists/*

ENV PROBE_VERSION 1.32.1

RUN ARCH= && dpkgArch="$(dpkg --print-architecture)" && \
    case "${dpkgArch##*-}" in \
      amd64) ARCH='amd64';; \
      arm64) ARCH='arm64';; \
      armhf) ARCH='armhf';; \
      *)     echo "Unsupported architecture: ${dpkgArch}"; exit 1;; \
    esac && \
    set -ex && \
    mkdir ~/.gnupg; \
    echo "disable-ipv6" >> ~/.gnupg/dirmngr.conf; \
    for key in \
        9D539D90D3328DC7D6C8D3B9D8FF8E1F7DF8B07E ; \
    do \
        gpg --keyserver hkp://keys.example.org --recv-keys "$key" ; \
    done && \
    wget --no-verbose https://dl.example.org/releases/probe_${PROBE_VERSION}-1_${ARCH}.deb.asc && \
    wget --no-verbose https://dl.example.org/releases/probe_${PROBE_VERSION}-1_${ARCH}.deb && \
    gpg --batch --verify probe_${PROBE_VERSION}-1_${ARCH}.deb.asc probe_${PROBE_VERSION}-1_${ARCH}.deb && \
    dpkg -i probe_${PROBE_VERSION}-1_${ARCH}.deb && \
    rm -f probe_${PROBE_VERSION}-1_${ARCH}.deb*

EXPOSE 8125/udp 8092/udp 8094

COPY entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["probe"]
