# Shape of: github.com/jenkinsci/docker (debian/bookworm/hotspot/Dockerfile)
ARG BOOKWORM_TAG=20241016
FROM debian:bookworm-"${BOOKWORM_TAG}" AS jre-build

SHELL ["/bin/bash", "-e", "-u", "-o", "pipefail", "-c"]

ARG JAVA_VERSION=17.0.13_11

COPY jdk-download-url.sh /usr/bin/jdk-download-url.sh
COPY jdk-download.sh /usr/bin/jdk-download.sh

RUN apt-get update \
  && apt-get install --no-install-recommends -y \
    ca-certificates \
    curl \
    jq \
  && rm -rf /var/lib/apt/lists/* \
  && /usr/bin/jdk-download.sh

ENV PATH=/opt/jdk-"${JAVA_VERSION}"/bin:"${PATH}"

# Only the modules that are asked for; the list is of what plugins have been seen to use
# all there are, as nobody knows what plugins load
RUN if [[ "${TARGETPLATFORM:-}" != 'linux/arm/v7' ]]; then \
    case "$(jlink --version 2>&1)" in \
      "17."*) set -- "--compress=2" ;; \
      # "zip-" is the new spelling
      "21."*) set -- "--compress=zip-6" ;; \
      *) echo "ERROR: unmanaged jlink version pattern" && exit 1 ;; \
    esac; \
    jlink \
      --strip-java-debug-attributes \
      "$1" \
      --add-modules ALL-MODULE-PATH \
      --no-man-pages \
      --no-header-files \
      --output /javaruntime; \
  else \
    cp -r /opt/jdk-"${JAVA_VERSION}" /javaruntime; \
  fi

FROM debian:bookworm-"${BOOKWORM_TAG}" AS controller

RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    ca-certificates \
    curl \
    git \
    gnupg \
    libfontconfig1 \
    libfreetype6 \
    procps \
    ssh-client \
    tini \
    unzip \
    tzdata \
  && rm -rf /var/lib/apt/lists/*

# packages of it exist for some machines only
ARG GIT_LFS_VERSION=3.5.1
RUN arch=$(uname -m | sed -e 's/x86_64/amd64/g' -e 's/aarch64/arm64/g') \
  # fetch,
  && curl -L -s -o git-lfs.tgz "https://releases.example.org/git-lfs/v${GIT_LFS_VERSION}/git-lfs-linux-${arch}-v${GIT_LFS_VERSION}.tar.gz" \
  # unpack
  && tar xzf git-lfs.tgz git-lfs-${GIT_LFS_VERSION} \
  && bash git-lfs-*/install.sh \
  && rm -rf git-lfs*

ENV LANG=C.UTF-8

ARG TARGETARCH
ARG COMMIT_SHA

ARG user=butler
ARG group=butler
ARG uid=1000
ARG gid=1000
ARG http_port=8080
ARG agent_port=50000
ARG BUTLER_HOME=/var/butler_home
ARG REF=/usr/share/butler/ref

ENV BUTLER_HOME=$BUTLER_HOME
ENV BUTLER_AGENT_PORT=${agent_port}
ENV REF=$REF

# The number matters to those who mount a
# directory of theirs: it should be
# the owner's
RUN mkdir -p $BUTLER_HOME \
  && chown ${uid}:${gid} $BUTLER_HOME \
  && groupadd -g ${gid} ${group} \
  && useradd -d "$BUTLER_HOME" -u ${uid} -g ${gid} -l -m -s /bin/bash ${user}

# What it knows outlives
# the image
VOLUME $BUTLER_HOME

# What a first start copies
# to the home: plugins, settings
RUN mkdir -p ${REF}/init.groovy.d

# newest when this was written
ARG BUTLER_VERSION
ENV BUTLER_VERSION=${BUTLER_VERSION:-2.479}

# of the file
ARG BUTLER_SHA=1114b3a1d2a2b3f4

# or from a mirror
ARG BUTLER_URL=https://repo.example.org/public/butler-war/${BUTLER_VERSION}/butler-war-${BUTLER_VERSION}.war

# fetched by a step, for its cache
RUN curl -fsSL ${BUTLER_URL} -o /usr/share/butler/butler.war \
  && echo "${BUTLER_SHA}  /usr/share/butler/butler.war" >/tmp/butler_sha \
  && sha256sum -c --strict /tmp/butler_sha \
  && rm -f /tmp/butler_sha

ENV BUTLER_UC=https://updates.example.org
ENV BUTLER_UC_EXPERIMENTAL=${BUTLER_UC}/experimental
ENV BUTLER_INCREMENTALS_REPO_MIRROR=https://repo.example.org/incrementals
RUN chown -R ${user} "$BUTLER_HOME" "$REF"

ARG PLUGIN_CLI_VERSION=2.13.2
ARG PLUGIN_CLI_URL=https://releases.example.org/plugin-manager-${PLUGIN_CLI_VERSION}.jar
RUN curl -fsSL ${PLUGIN_CLI_URL} -o /opt/plugin-manager.jar

# pages
EXPOSE ${http_port}

# agents
EXPOSE ${agent_port}

ENV COPY_REFERENCE_FILE_LOG=$BUTLER_HOME/copy_reference_file.log

ENV JAVA_HOME=/opt/java/mocha
ENV PATH="${JAVA_HOME}/bin:${PATH}"
COPY --from=jre-build /javaruntime $JAVA_HOME

USER ${user}

COPY butler-support /usr/local/bin/butler-support
COPY butler.sh /usr/local/bin/butler.sh
COPY butler-plugin-cli.sh /bin/butler-plugin-cli

ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/butler.sh"]

LABEL \
  org.opencontainers.image.vendor="Butler project" \
  org.opencontainers.image.title="Official Butler Docker image" \
  org.opencontainers.image.description="Serves builds" \
  org.opencontainers.image.version="${BUTLER_VERSION}" \
  org.opencontainers.image.url="https://www.butler.example.org/" \
  org.opencontainers.image.source="https://git.example.org/butler/docker" \
  org.opencontainers.image.revision="${COMMIT_SHA}" \
  org.opencontainers.image.licenses="MIT"
