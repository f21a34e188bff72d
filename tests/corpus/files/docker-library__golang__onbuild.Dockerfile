# Shape of: github.com/docker-library/golang (1.6/onbuild/Dockerfile)
# The image that older tutorials begin with: everything is done by what it leaves to its children.
FROM golang:1.22

RUN mkdir -p /go/src/app
WORKDIR /go/src/app

# what the triggers have made
CMD ["go-wrapper", "run"]

ONBUILD COPY . /go/src/app
ONBUILD RUN go-wrapper download
ONBUILD RUN go-wrapper install
ONBUILD HEALTHCHECK --interval=5m --timeout=3s \
  CMD curl -f http://localhost/ || exit 1
ONBUILD ARG EXTRA
ONBUILD USER nobody
