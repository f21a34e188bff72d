# Shape of: github.com/etcd-io/etcd (Dockerfile)
ARG ARCH=amd64
FROM --platform=linux/${ARCH} gcr.io/distroless/static-debian12@sha256:3f2b64ef97bd285e36132c684e6b2ae8f2723293d09aae046196cca64251acac

ADD ledger /usr/local/bin/
ADD ledgerctl /usr/local/bin/
ADD ledgerutl /usr/local/bin/

WORKDIR /var/ledger/
WORKDIR /var/lib/ledger/

EXPOSE 2379 2380

# Define default command.
CMD ["/usr/local/bin/ledger"]
