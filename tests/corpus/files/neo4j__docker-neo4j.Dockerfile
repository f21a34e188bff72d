# Shape of: github.com/neo4j/docker-neo4j (docker-image-src/5/coredb/Dockerfile-debian)
FROM debian:bullseye-slim
ENV JAVA_HOME=/opt/java/mocha
COPY --from=eclipse-temurin:17 $JAVA_HOME $JAVA_HOME

ENV PATH="${JAVA_HOME}/bin:${PATH}" \
    GRAPH_SHA256=7a2f4ad5ec7a3a2b3d8b84d9c4f8b29cd7f6e19e8d9e4cb3b6a2d6b7f9b12e4f \
    GRAPH_TARBALL=graph-community-5.25.1-unix.tar.gz \
    GRAPH_EDITION=community \
    GRAPH_HOME="/var/lib/graph" \
    LANG=C.UTF-8
ARG GRAPH_URI=https://dist.example.org/graph-community-5.25.1-unix.tar.gz

RUN addgroup --gid 7474 --system graph && adduser --uid 7474 --system --no-create-home --home "${GRAPH_HOME}" --ingroup graph graph

COPY ./local-package/* /startup/

RUN apt update \
    && apt-get install -y curl gcc git jq make procps tini wget \
    && curl --fail --silent --show-error --location --remote-name ${GRAPH_URI} \
    && echo "${GRAPH_SHA256}  ${GRAPH_TARBALL}" | sha256sum -c --strict --quiet \
    && tar --extract --file ${GRAPH_TARBALL} --directory /var/lib \
    && mv /var/lib/graph-* "${GRAPH_HOME}" \
    && rm ${GRAPH_TARBALL} \
    && sed -i 's/Package Type:.*/Package Type: docker bullseye/' $GRAPH_HOME/packaging_info \
    && mv /startup/graph-admin-report.sh "${GRAPH_HOME}"/bin/graph-admin-report \
    && mv "${GRAPH_HOME}"/data /data \
    && mv "${GRAPH_HOME}"/logs /logs \
    && chown -R graph:graph /data \
    && chmod -R 777 /data \
    && chown -R graph:graph /logs \
    && chmod -R 777 /logs \
    && ln -s /data "${GRAPH_HOME}"/data \
    && ln -s /logs "${GRAPH_HOME}"/logs \
    && git clone https://git.example.org/tools/stepdown.git \
    && cd stepdown && make && mv /stepdown/stepdown /usr/bin/stepdown \
    && apt-get -y purge --auto-remove curl gcc git make \
    && rm -rf /var/lib/apt/lists/* /stepdown

ENV PATH "${GRAPH_HOME}"/bin:$PATH

WORKDIR "${GRAPH_HOME}"

VOLUME /data /logs

EXPOSE 7474 7473 7687

ENTRYPOINT ["tini", "-g", "--", "/startup/docker-entrypoint.sh"]
CMD ["graph"]
