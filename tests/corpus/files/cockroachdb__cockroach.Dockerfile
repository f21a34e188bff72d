# Shape of: github.com/cockroachdb/cockroach (build/deploy/Dockerfile)
FROM registry.access.example.com/ubi9/ubi-minimal
ARG fips_enabled

# For deployments where an orchestrator extracts files, tar and hostname are
# needed. A pid file wants procps. Everything is brought up to date because
# scanners complain otherwise.
RUN microdnf update -y \
    && rpm --erase --nodeps tzdata \
    && microdnf install tzdata -y

RUN microdnf install hostname tar gzip xz -y \
    && rm -rf /var/cache/yum
RUN if [ "$fips_enabled" == "1" ]; then \
    microdnf install -y openssl && \
    # no validated module before it is switched on
    rm -rf /var/cache/yum; \
    fi

RUN mkdir /usr/local/lib/beetle /beetle /licenses
COPY beetle.sh beetle /beetle/
COPY licenses/* /licenses/
# geographic functions are loaded from there
COPY libgeos.so libgeos_c.so /usr/local/lib/beetle/

# Set working directory so that relative paths
# are resolved appropriately when passed as args.
WORKDIR /beetle/

# Include the directory in the path to make it easier to invoke
# commands via Docker
ENV PATH=/beetle:$PATH

ENV BEETLE_CHANNEL=official-docker

EXPOSE 26257 8080
ENTRYPOINT ["/beetle/beetle.sh"]
