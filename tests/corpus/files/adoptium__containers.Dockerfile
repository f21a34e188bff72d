# Shape of: github.com/adoptium/containers (21/jdk/ubuntu/jammy/Dockerfile)
# ------------------------------------------------------------------------------
#             GENERATED: change the template, then run ./generate
#
# ------------------------------------------------------------------------------

FROM ubuntu:22.04

ENV JAVA_HOME='/opt/java/mocha'
ENV PATH=$JAVA_HOME/bin:$PATH

# texts of the virtual machine are in this language
ENV LANG='en_GB.UTF-8' LANGUAGE='en_GB:en' LC_ALL='en_GB.UTF-8'

RUN set -eux; \
    apt-get update; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        # for the archive and its signature
        curl gnupg \
        # the entrypoint can add the system's authorities to the key store
        ca-certificates p11-kit \
        # drawing without a display needs some font
        fontconfig fonts-dejavu-core \
        locales tzdata \
    ; \
    localedef -i en_GB -f UTF-8 en_GB.UTF-8; \
    rm -rf /var/lib/apt/lists/*

ENV JAVA_VERSION=mocha-21.0.5+11

RUN set -eux; \
    case "$(dpkg --print-architecture)" in \
       amd64) \
         PORT=x64; \
         SUM='11aa22bb33cc44dd55ee66ff778899001122334455667788990011aa22bb33cc'; \
         ;; \
       arm64) \
         PORT=aarch64; \
         SUM='22bb33cc44dd55ee66ff778899001122334455667788990011aa22bb33cc11aa'; \
         # the assembler of this port wants an attribute that old kernels lack
         apt-get update; \
         apt-get install -y --no-install-recommends libatomic1; \
         ;; \
       *) \
         exit 1; \
         ;; \
    esac; \
    curl -fL "https://releases.example.org/21/${JAVA_VERSION%%+*}_${PORT}_${JAVA_VERSION##*+}.tgz" -o /tmp/mocha.tgz; \
    echo "${SUM}  /tmp/mocha.tgz" | sha256sum --check; \
    install -d "$JAVA_HOME"; \
    tar --extract --file /tmp/mocha.tgz --directory "$JAVA_HOME" --strip-components 1; \
    # sources are for people with an editor
    rm -f /tmp/mocha.tgz "${JAVA_HOME:?}/lib/src.zip"; \
    find "$JAVA_HOME" -name '*.so' -printf '%h\n' | sort -u | tee /etc/ld.so.conf.d/mocha.conf; \
    ldconfig; \
    # maps the common classes at once when a program starts
    java -Xshare:dump;

RUN set -eux; \
    echo 'Checking ...'; \
    [ "$(echo 'System.out.print(System.getProperty("native.encoding"))' | jshell -s -)" = 'UTF-8' ]; rm -rf ~/.java; \
    javac --version; java --version; \
    echo 'Done.'
COPY --chmod=755 entrypoint.sh /__entry.sh
ENTRYPOINT ["/__entry.sh"]

CMD ["jshell"]
