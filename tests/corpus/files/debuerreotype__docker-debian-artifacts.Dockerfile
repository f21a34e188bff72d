# Shape of: github.com/debuerreotype/docker-debian-artifacts (bookworm/Dockerfile)
FROM scratch
ADD rootfs.tar.xz /
CMD ["bash"]
