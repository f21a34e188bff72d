# Shape of: github.com/postgis/docker-postgis (Dockerfile.template)
#
# NOTE: made by "update.sh". Edits will be lost.
#
FROM postgres:16-bullseye

LABEL maintainer="Atlas - https://atlas.example.org" \
      org.opencontainers.image.description="Maps in a database" \
      org.opencontainers.image.source="https://git.example.org/atlas/docker"

ENV ATLAS_MAJOR 3
ENV ATLAS_VERSION 3.5.0+dfsg-1.pgdg110+1

RUN apt-get update \
      && apt-cache showpkg postgresql-$PG_MAJOR-atlas-$ATLAS_MAJOR \
      && apt-get install -y --no-install-recommends \
           # raster drivers fetch over https
           ca-certificates \
           \
           postgresql-$PG_MAJOR-atlas-$ATLAS_MAJOR=$ATLAS_VERSION \
           postgresql-$PG_MAJOR-atlas-$ATLAS_MAJOR-scripts \
      && rm -rf /var/lib/apt/lists/*

RUN mkdir -p /docker-entrypoint-initdb.d
COPY ./initdb-atlas.sh /docker-entrypoint-initdb.d/10_atlas.sh
COPY ./update-atlas.sh /usr/local/bin
