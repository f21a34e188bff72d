# Shape of: github.com/fedora-cloud/docker-brew-fedora (x86_64/Dockerfile)
FROM scratch
LABEL maintainer="Somebody <somebody@example.org>"
ENV DISTTAG=f41container FGC=f41 FBR=f41
ADD f41-20241024.tar /
CMD ["/bin/bash"]
