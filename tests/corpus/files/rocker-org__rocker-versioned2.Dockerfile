# Shape of: github.com/rocker-org/rocker-versioned2 (dockerfiles/r-ver_4.4.1.Dockerfile)
FROM docker.io/library/ubuntu:jammy

ENV R_VERSION="4.4.1"
ENV R_HOME="/usr/local/lib/R"
ENV TZ="Etc/UTC"

COPY scripts/install_R_source.sh /scripts/install_R_source.sh
RUN /scripts/install_R_source.sh

ENV CRAN="https://pm.example.org/cran/__linux__/jammy/2024-10-30"
ENV LANG=en_US.UTF-8

COPY scripts/bin/ /scripts/bin/
COPY scripts/setup_R.sh /scripts/setup_R.sh
RUN <<EOF
if grep -q "1000" /etc/passwd; then
    userdel --remove "$(id -un 1000)";
fi
/scripts/setup_R.sh
EOF

COPY scripts/install_python.sh scripts/install_pandoc.sh /scripts/
RUN ["/bin/bash", "-c", "/scripts/install_python.sh && /scripts/install_pandoc.sh"]

COPY scripts /rocker_scripts

LABEL org.opencontainers.image.licenses="GPL-2.0-or-later" \
      org.opencontainers.image.source="https://git.example.org/rock/versioned" \
      org.opencontainers.image.vendor="Rock Project" \
      org.opencontainers.image.authors="A. Person <a@example.org>"

CMD ["R"]
