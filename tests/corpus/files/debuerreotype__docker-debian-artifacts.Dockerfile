# Shape of: github.com/debuerreotype/docker-debian-artifacts (bullseye/slim/Dockerfile)
FROM scratch
ADD rootfs.tar.xz /
CMD ["bash"]
