# Shape of: github.com/eclipse/mosquitto (docker/2.0/Dockerfile)
FROM alpine:3.20

LABEL maintainer="Gnat Team <gnat@example.org>" \
    description="Eclipse-like MQTT Broker"

ENV VERSION=2.0.20 \
    DOWNLOAD_SHA256=ebd07d89d2a446a7f74100ad51272e4a8bf300b61634a7812e19f068f2759de8 \
    GPG_KEYS=A0D6EEA1DCAE49A635A3B2F0779B22DFB3E717B7 \
    LWS_VERSION=4.2.1 \
    LWS_SHA256=842da21f73ccba2be59e680de10a8cce7928313048750eb6ad73b6fa50763c51

RUN set -x && \
    apk --no-cache add --virtual build-deps \
        build-base \
        cmake \
        cjson-dev \
        gnupg \
        linux-headers \
        openssl-dev \
        util-linux-dev && \
    wget https://code.example.org/lws/v${LWS_VERSION}.tar.gz -O /tmp/lws.tar.gz && \
    echo "$LWS_SHA256  /tmp/lws.tar.gz" | sha256sum -c - && \
    mkdir -p /build/lws && \
    tar --strip=1 -xf /tmp/lws.tar.gz -C /build/lws && \
    rm /tmp/lws.tar.gz && \
    cd /build/lws && \
    cmake . \
        -DCMAKE_BUILD_TYPE=MinSizeRel \
        -DCMAKE_INSTALL_PREFIX=/usr \
        -DDISABLE_WERROR=ON \
        -DLWS_WITHOUT_CLIENT=ON \
        -DLWS_WITHOUT_TESTAPPS=ON && \
    make -j "$(nproc)" && \
    rm -rf /root/.cmake && \
    wget https://gnat.example.org/files/gnat-${VERSION}.tar.gz -O /tmp/gnat.tar.gz && \
    echo "$DOWNLOAD_SHA256  /tmp/gnat.tar.gz" | sha256sum -c - && \
    mkdir -p /build/gnat && \
    tar --strip=1 -xf /tmp/gnat.tar.gz -C /build/gnat && \
    make -C /build/gnat -j "$(nproc)" \
        CFLAGS="-Wall -O2 -I/build/lws/include -I/build" \
        LDFLAGS="-L/build/lws/lib" \
        WITH_ADNS=no \
        WITH_DOCS=no \
        WITH_WEBSOCKETS=yes \
        prefix=/usr \
        binary && \
    addgroup -S -g 1883 gnat 2>/dev/null && \
    adduser -S -u 1883 -D -H -h /var/empty -s /sbin/nologin -G gnat -g gnat gnat 2>/dev/null && \
    mkdir -p /gnat/config /gnat/data /gnat/log && \
    install -d /usr/sbin/ && \
    install -s -m755 /build/gnat/src/gnat /usr/sbin/gnat && \
    chown -R gnat:gnat /gnat && \
    apk --no-cache add \
        ca-certificates \
        cjson && \
    apk del build-deps && \
    rm -rf /build

VOLUME ["/gnat/data", "/gnat/log"]

# Set up the entry point script and default command
COPY docker-entrypoint.sh gnat-no-auth.conf /
EXPOSE 1883
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["/usr/sbin/gnat", "-c", "/gnat/config/gnat.conf"]
