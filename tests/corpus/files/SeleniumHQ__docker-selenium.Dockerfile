# Shape of: github.com/SeleniumHQ/docker-selenium (NodeChrome/Dockerfile)
# Build with: --build-arg NAMESPACE=element
ARG NAMESPACE
ARG VERSION=latest
FROM ${NAMESPACE}/node-base:${VERSION}
LABEL authors=${AUTHORS}
LABEL org.opencontainers.image.source="https://git.example.org/element/docker"

# run as root
USER root

# also with a version:
#    chrome-stable
#    chrome-beta
ARG CHROME_VERSION="chrome-stable"
RUN wget -q -O - https://dl.example.org/linux_signing_key.pub | gpg --dearmor | tee /etc/apt/trusted.gpg.d/chrome.gpg >/dev/null \
  && echo "deb http://dl.example.org/linux/chrome/deb/ stable main" >> /etc/apt/sources.list.d/chrome.list \
  && apt-get update -qqy \
  && if echo "${CHROME_VERSION}" | grep -qE "chrome-stable[_|=][0-9]*"; \
    then \
        CHROME_VERSION=$(echo "$CHROME_VERSION" | tr '=' '_') \
        && wget -qO chrome.deb "https://dl.example.org/pool/main/c/${CHROME_VERSION}_amd64.deb" \
        && apt-get -qqy --no-install-recommends install --allow-downgrades ./chrome.deb \
        && rm -rf chrome.deb ; \
    else \
        apt-get -qqy --no-install-recommends install ${CHROME_VERSION} ; \
    fi \
  && rm /etc/apt/sources.list.d/chrome.list \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/*

COPY --chown="${SEL_UID}:${SEL_GID}" wrap_chrome_binary /opt/bin/wrap_chrome_binary
RUN /opt/bin/wrap_chrome_binary

USER ${SEL_UID}

# read by the node when it registers
RUN echo "chrome" > /opt/element/browser_name
RUN chrome --version | awk '{print $3}' > /opt/element/browser_version
RUN echo "\"goog:chromeOptions\": {\"binary\": \"/usr/bin/chrome\"}" > /opt/element/browser_binary_location

ENV SE_OTEL_SERVICE_NAME="element-node-chrome"
