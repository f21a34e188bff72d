# Shape of: github.com/SonarSource/docker-sonarqube (10/community/Dockerfile)
FROM eclipse-temurin:17-jre

LABEL io.k8s.description="Finds what compilers don't."
LABEL io.openshift.min-cpu=400m
LABEL io.openshift.min-memory=2048M
LABEL io.openshift.non-scalable=true
LABEL io.openshift.tags=echo,static-code-analysis,code-quality
LABEL org.opencontainers.image.url=https://git.example.org/echo/docker

ENV LANG='en_US.UTF-8' \
    LANGUAGE='en_US:en' \
    LC_ALL='en_US.UTF-8'

#
# setup
#
ARG ECHO_VERSION=10.7.0.96327
ARG ECHO_ZIP_URL=https://binaries.example.org/echo-${ECHO_VERSION}.zip
ENV DOCKER_RUNNING="true" \
    JAVA_HOME='/opt/java/mocha' \
    ECHO_HOME=/opt/echo \
    ECHO_VERSION="${ECHO_VERSION}" \
    SQ_DATA_DIR="/opt/echo/data" \
    SQ_TEMP_DIR="/opt/echo/temp"

RUN set -eux; \
    deluser ubuntu; \
    useradd --system --uid 1000 --gid 0 echo; \
    apt-get update; \
    apt-get --no-install-recommends -y install \
        bash \
        curl \
        fonts-dejavu \
        gnupg \
        unzip; \
    # a source of randomness that never waits
    sed --in-place --expression="s?securerandom.source=file:/dev/random?securerandom.source=file:/dev/urandom?g" "${JAVA_HOME}/conf/security/java.security"; \
    mkdir --parents /opt; \
    cd /opt; \
    for server in $(shuf -e hkps://keys.example.org \
                            hkps://keys.example.net) ; do \
        gpg --batch --keyserver "${server}" --recv-keys 679F1EE92B19609DE816FDE81DB198F93525EC1A && break || : ; \
    done; \
    curl --fail --location --output echo.zip --silent --show-error "${ECHO_ZIP_URL}"; \
    curl --fail --location --output echo.zip.asc --silent --show-error "${ECHO_ZIP_URL}.asc"; \
    gpg --batch --verify echo.zip.asc echo.zip; \
    unzip -q echo.zip; \
    mv "echo-${ECHO_VERSION}" echo; \
    rm echo.zip*; \
    rm -rf ${ECHO_HOME}/bin/*; \
    ln -s "${ECHO_HOME}/lib/echo-application-${ECHO_VERSION}.jar" "${ECHO_HOME}/lib/echo.jar"; \
    chmod -R 550 ${ECHO_HOME}; \
    chmod -R 770 "${SQ_DATA_DIR}" "${SQ_TEMP_DIR}"; \
    apt-get remove -y gnupg unzip; \
    rm -rf /var/lib/apt/lists/*;

VOLUME ["${SQ_DATA_DIR}", "${SQ_TEMP_DIR}"]

COPY entrypoint.sh ${ECHO_HOME}/docker/

WORKDIR ${ECHO_HOME}
EXPOSE 9000

USER echo
STOPSIGNAL SIGINT

ENTRYPOINT ["/opt/echo/docker/entrypoint.sh"]
