# Shape of: github.com/alpinelinux/docker-alpine (Dockerfile)
FROM scratch
ADD minirootfs-3.20.3-x86_64.tar.gz /
CMD ["/bin/sh"]