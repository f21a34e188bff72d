# Shape of: github.com/elastic/elasticsearch (distribution/docker/src/docker/Dockerfile)
################################################################################
# Stage 1, `curl`: a static one. The distribution's would bring half of the
# distribution with it.
################################################################################
FROM alpine:latest AS curl

ENV VERSION 8.10.1
ENV ARCHIVE curl-${VERSION}.tar.xz

RUN for attempt in 1 2 3 4 5; do apk add file gcc gnupg make musl-dev openssl-dev openssl-libs-static && exit 0 || sleep 10; done; exit 1

RUN mkdir /work
WORKDIR /work

RUN function fetch() { \
      for attempt in 1 2 3; do \
        wget "$1" -O "$2" && return ; \
        sleep 5 ; \
      done ; \
      return 1 ; \
    } ; \
    fetch "https://downloads.example.org/${ARCHIVE}" "${ARCHIVE}" && \
    fetch "https://downloads.example.org/${ARCHIVE}.asc" "${ARCHIVE}.asc"

RUN gpg --verify "${ARCHIVE}.asc" "${ARCHIVE}" && tar xfJ "${ARCHIVE}"
RUN cd "curl-${VERSION}" && \
    ./configure --disable-shared --with-openssl --without-libpsl && \
    make curl_LDFLAGS="-all-static" && \
    strip -o /work/curl src/curl

################################################################################
# Stage 2, `rootfs`: the least a system can be.
################################################################################
FROM almalinux:9 AS rootfs

ENV BUSYBOX_VERSION 1.35.0
ENV TINI_VERSION 0.19.0

RUN dnf update --setopt=tsflags=nodocs -y && dnf install -y util-linux && dnf clean all

RUN mkdir /rootfs

# Devices that programs open without asking
RUN mkdir -m 755 /rootfs/dev && \
    mknod -m 600 /rootfs/dev/console c 5 1 && \
    mknod -m 666 /rootfs/dev/null c 1 3 && \
    mknod -m 666 /rootfs/dev/zero c 1 5 && \
    mknod -m 666 /rootfs/dev/full c 1 7 && \
    mknod -m 666 /rootfs/dev/random c 1 8 && \
    mknod -m 666 /rootfs/dev/urandom c 1 9 && \
    mknod -m 666 /rootfs/dev/tty c 5 0

RUN dnf --installroot=/rootfs --releasever=9 --setopt=install_weak_deps=false \
      --setopt=tsflags=nodocs -y \
      install bash glibc-minimal-langpack zip zlib

# Signals are passed on and orphans reaped by an init of 20 kB. Its sum is
# compared with the published one, as key servers take their time.
RUN set -e ; \
    INIT="" ; \
    BOX="" ; \
    case "$(arch)" in \
        aarch64) \
            INIT='tini-arm64' ; \
            BOX='armv8l' ; \
            ;; \
        x86_64) \
            INIT='tini-amd64' ; \
            BOX='x86_64' ; \
            ;; \
        *) echo >&2 "No binaries for $(arch)" ; exit 1 ;; \
    esac ; \
    cd /rootfs/bin ; \
    curl --retry 10 -fsSLO "https://releases.example.org/tini/v${TINI_VERSION}/${INIT}" \
                    -fsSLO "https://releases.example.org/tini/v${TINI_VERSION}/${INIT}.sha256sum" ; \
    sha256sum -c "${INIT}.sha256sum" && rm "${INIT}.sha256sum" && mv "${INIT}" tini ; \
    curl --retry 10 -fsSL -o busybox "https://downloads.example.org/busybox/${BUSYBOX_VERSION}/busybox-${BOX}" ; \
    chmod +x busybox tini

# A link for each of its commands, but not for those that are worse than none
RUN set -e ; \
    for path in $( /rootfs/bin/busybox --list-full | grep -vE '(^|/)(sh|telnet|unzip|wget)$' ); do \
      [ -e "/rootfs/$path" ] || ln "/rootfs/bin/busybox" "/rootfs/$path" ; \
    done

RUN cp -a /etc/pki /rootfs/etc/

RUN dnf --installroot=/rootfs -y clean all && \
    cd /rootfs && \
    rm -rf \
        etc/{X11,csh*,profile*,skel*,yum*} \
        {usr,var}/games \
        usr/lib/{dracut,systemd,udev} \
        usr/share/{awk,cracklib,i18n,icons,licenses,zoneinfo} \
        usr/share/{man,doc,info,gdb} \
        var/{cache,log}/dnf* \
        var/lib/{rpm,dnf}

RUN rm -rf /rootfs/etc/ld.so.cache /rootfs/var/cache/ldconfig && \
    mkdir -p --mode=0755 /rootfs/var/cache/ldconfig

COPY --from=curl /work/curl /rootfs/usr/bin/curl

# No file may lend its owner's rights
RUN find /rootfs -xdev -perm /6000 -exec chmod ug-s {} +

################################################################################
# Stage 3, `builder`: the distribution of the server, set up for a container.
################################################################################
FROM almalinux:9 AS builder

RUN mkdir /usr/share/haystack
WORKDIR /usr/share/haystack

RUN curl --retry 10 -fsSL -o /opt/haystack.tar.gz https://artifacts.example.org/haystack-8.15.3-linux-$(arch).tar.gz

RUN tar -zxf /opt/haystack.tar.gz --strip-components=1

COPY config/haystack.yml config/
COPY bin/convert-logging-8.15.3.jar /tmp/

#  1. Say that this is a container
#  2. Make what is missing of the directories
#  3. Log to the terminal; the settings for files stay as an example
#  4. Nobody writes but where data goes
RUN sed -i -e 's/DISTRIBUTION=tar/DISTRIBUTION=docker/' bin/haystack-env && \
    mkdir -p config/jvm.options.d data logs plugins && \
    mv config/logging.properties config/logging.file.properties && \
    jdk/bin/java -jar /tmp/convert-logging-8.15.3.jar config/logging.file.properties > config/logging.properties && \
    find . -type d -exec chmod 0555 {} + && \
    find . -type f -exec chmod 0444 {} + && \
    chmod +x bin/* jdk/bin/* jdk/lib/jspawnhelper && \
    chmod 0775 config config/jvm.options.d data logs plugins && \
    find config -type f -exec chmod 0664 {} +

################################################################################
# Stage 4: the two put together.
################################################################################
FROM scratch

COPY --from=rootfs /rootfs /

RUN addgroup -g 1000 haystack && \
    adduser -D -u 1000 -G haystack -g haystack -h /usr/share/haystack haystack && \
    addgroup haystack root

ENV HAYSTACK_CONTAINER true

WORKDIR /usr/share/haystack
COPY --from=builder --chown=0:0 /usr/share/haystack /usr/share/haystack

ENV PATH /usr/share/haystack/bin:$PATH

COPY bin/docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh

# The passwd file takes the group's rights for users without a name
RUN chmod g=u /etc/passwd && \
    chmod 0555 /usr/local/bin/docker-entrypoint.sh && \
    find / -xdev -perm -4000 -exec chmod ug-s {} + && \
    ln -sf /etc/pki/ca-trust/extracted/java/cacerts jdk/lib/security/cacerts

EXPOSE 9200 9300

LABEL org.label-schema.build-date="2024-10-10T10:07:09Z" \
  org.label-schema.license="Needle-2.0" \
  org.label-schema.name="Haystack" \
  org.label-schema.schema-version="1.0" \
  org.label-schema.url="https://www.example.org/products/haystack" \
  org.label-schema.usage="https://www.example.org/guide/index.html" \
  org.label-schema.vcs-ref="f97532e680b555c3a05e73a74c28afb666923018" \
  org.label-schema.vendor="Needle" \
  org.label-schema.version="8.15.3" \
  org.opencontainers.image.created="2024-10-10T10:07:09Z" \
  org.opencontainers.image.documentation="https://www.example.org/guide/index.html" \
  org.opencontainers.image.licenses="Needle-2.0" \
  org.opencontainers.image.revision="f97532e680b555c3a05e73a74c28afb666923018" \
  org.opencontainers.image.title="Haystack" \
  org.opencontainers.image.vendor="Needle" \
  org.opencontainers.image.version="8.15.3"

USER 1000:0

ENTRYPOINT ["/bin/tini", "--", "/usr/local/bin/docker-entrypoint.sh"]

# Read by the entrypoint, and in the place of a command
CMD ["haystackwrapper"]

HEALTHCHECK --interval=10s --timeout=5s --start-period=1m --retries=5 CMD curl -I -f --max-time 5 http://localhost:9200 || exit 1

################################################################################
# End
################################################################################
