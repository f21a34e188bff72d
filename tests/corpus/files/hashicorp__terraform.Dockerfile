# Shape of: github.com/hashicorp/terraform (Dockerfile)
# For development only; releases are made elsewhere.

FROM docker.mirror.example.org/golang:alpine
LABEL maintainer="Earthworks Team <earthworks@example.org>"

RUN apk add --no-cache git bash openssh

ENV EARTH_DEV=true
ENV EARTH_RELEASE=1

WORKDIR $GOPATH/src/example.org/earthworks
COPY . .
RUN /bin/bash ./scripts/build.sh

WORKDIR $GOPATH
ENTRYPOINT ["earthworks"]
