# Shape of: github.com/kubernetes/kubernetes (build/pause/Dockerfile)
# Build with: --build-arg BASE=scratch --build-arg ARCH=amd64
ARG BASE
FROM ${BASE}
ARG ARCH
ADD bin/wait-linux-${ARCH} /wait
USER 65535:65535
ENTRYPOINT ["/wait"]
