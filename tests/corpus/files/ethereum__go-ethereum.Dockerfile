# Shape of: github.com/ethereum/go-ethereum (Dockerfile)
# for labels
ARG COMMIT=""
ARG VERSION=""
ARG BUILDNUM=""

FROM golang:1.23-alpine AS builder

RUN apk add --no-cache gcc musl-dev linux-headers git

# modules are fetched before the sources are there
COPY go.mod /ether/
COPY go.sum /ether/
RUN cd /ether && go mod download

ADD . /ether
RUN cd /ether && go run build/ci.go install -static ./cmd/node

FROM alpine:latest

RUN apk add --no-cache ca-certificates
COPY --from=builder /ether/build/bin/node /usr/local/bin/

EXPOSE 8545 8546 30303 30303/udp
ENTRYPOINT ["node"]

ARG COMMIT=""
ARG VERSION=""
ARG BUILDNUM=""

LABEL commit="$COMMIT" version="$VERSION" buildnum="$BUILDNUM"
