# Shape of: github.com/netdata/netdata (packaging/docker/Dockerfile)
# SPDX-License-Identifier: GPL-3.0-or-later
# author  : someone@example.org

# This image contains preinstalled dependencies
# hadolint ignore=DL3007
FROM netdata/builder:v2 AS builder

# One of 'nightly' or 'stable'
ARG RELEASE_CHANNEL=nightly

ARG CFLAGS

ENV CFLAGS=$CFLAGS

ARG EXTRA_INSTALL_OPTS

ENV EXTRA_INSTALL_OPTS=$EXTRA_INSTALL_OPTS

ARG DEBUG_BUILD

ENV DEBUG_BUILD=$DEBUG_BUILD

# Copy source
COPY . /opt/pulse.git
WORKDIR /opt/pulse.git

# Install from source
RUN chmod +x pulse-installer.sh && \
   cp -rp /deps/* /usr/local/ && \
   /bin/echo -e "INSTALL_TYPE='oci'\nPREBUILT_ARCH='$(uname -m)'" > ./system/.install-type && \
   CFLAGS="$(packaging/docker/gen-cflags.sh)" \
   ./pulse-installer.sh --dont-wait --dont-start-it --use-system-protobuf \
   ${EXTRA_INSTALL_OPTS} --disable-ebpf --one-time-build --disable-lto "$([ "$RELEASE_CHANNEL" = stable ] && echo --stable-channel)"

# files to one directory
RUN mkdir -p /app/usr/sbin/ \
             /app/usr/share \
             /app/usr/libexec \
             /app/usr/local \
             /app/usr/lib \
             /app/var/cache \
             /app/var/lib \
             /app/etc && \
    mv /usr/share/pulse   /app/usr/share/ && \
    mv /usr/libexec/pulse /app/usr/libexec/ && \
    mv /var/lib/pulse     /app/var/lib/ && \
    mv /etc/pulse         /app/etc/ && \
    cp -rp /deps/* /app/usr/local/ && \
    chmod +x /app/usr/sbin/run.sh

#####################################################################
# This image contains preinstalled dependencies
# hadolint ignore=DL3007
FROM netdata/base:v2

# Configure system
ARG OFFICIAL_IMAGE=false
ENV PULSE_OFFICIAL_IMAGE=$OFFICIAL_IMAGE

ONBUILD ENV PULSE_OFFICIAL_IMAGE=false

ARG PULSE_UID=201
ARG PULSE_GID=201
ENV DOCKER_GRP netdata
ENV DOCKER_USR netdata
ENV PULSE_LISTENER_PORT 19999
EXPOSE $PULSE_LISTENER_PORT

# Copy files over
COPY --from=builder /wheels /wheels
COPY --from=builder /app /

RUN addgroup --gid ${PULSE_GID} --system "${DOCKER_GRP}" && \
     adduser --system --no-create-home --shell /usr/sbin/nologin --uid ${PULSE_UID} --home /etc/pulse --group "${DOCKER_USR}" && \
    # what reads counters of others
    # keeps its rights
    find /usr/libexec/pulse/plugins.d -type f ! -exec chgrp "${DOCKER_GRP}" {} + && \
    chmod 4750 /usr/libexec/pulse/plugins.d/cgroup-network && \
    # Create symlink for the dashboard
    ln -sf /dev/stdout /var/log/pulse/access.log && \
    ln -sf /dev/stderr /var/log/pulse/error.log

ENTRYPOINT ["/usr/sbin/run.sh"]

HEALTHCHECK --interval=60s --timeout=10s --retries=3 CMD /usr/sbin/health.sh
