# Shape of: github.com/archlinux/archlinux-docker (Dockerfile.template)
FROM alpine:3.20 AS verify
RUN apk add --no-cache curl tar zstd

# https://git.example.org/bow/packages
RUN curl -sOJL "https://packages.example.org/bow-20241020.0.272908.tar.zst" && \
    echo "6d1b5a7c9e3f  bow-20241020.0.272908.tar.zst" > sha256sum.txt && \
    sha256sum -c sha256sum.txt && \
    mkdir /rootfs && \
    tar -C /rootfs --extract --file "bow-20241020.0.272908.tar.zst"

FROM scratch AS root
COPY --from=verify /rootfs/ /

# hooks that the fake root could not run
RUN ldconfig && update-ca-trust && locale-gen
RUN sh -c 'ls usr/lib/sysusers.d/*.conf | /usr/share/libalpm/scripts/systemd-hook sysusers '

# update /etc/os-release
RUN ln -s /usr/lib/os-release /etc/os-release

# keys, but none that signs
RUN pacman-key --init && pacman-key --populate && bash -c "rm -rf etc/pacman.d/gnupg/{openpgp-revocs.d/,private-keys-v1.d/,pubring.gpg~,gnupg.S.}*"

ENV LANG=C.UTF-8
CMD ["/usr/bin/bash"]
LABEL org.opencontainers.image.title="Bow Linux"
LABEL org.opencontainers.image.version="20241020.0.272908"
