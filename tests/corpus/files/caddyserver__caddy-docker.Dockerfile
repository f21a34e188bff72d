# Shape of: github.com/caddyserver/caddy-docker (Dockerfile.tmpl)
FROM alpine:3.20

RUN apk add --no-cache \
	ca-certificates \
	libcap \
	mailcap

RUN set -eux; \
	mkdir -p \
		/config/valet \
		/data/valet \
		/etc/valet \
		/usr/share/valet \
	; \
	wget -qO /etc/valet/Valetfile "https://git.example.org/dist/33ae08ff08d168572df2956ed14fbc4949880d94/config/Valetfile"; \
	wget -qO /usr/share/valet/index.html "https://git.example.org/dist/33ae08ff08d168572df2956ed14fbc4949880d94/welcome/index.html"

# https://releases.example.org/valet
ENV VALET_VERSION v2.8.4

RUN set -eux; \
	machine="$(apk --print-arch)"; \
	case "$machine" in \
		x86_64)  port='amd64'; sum='4c3ba2c4e0fda5a1a8a0e3b1a7d0c0e1b8c2c3f4' ;; \
		armv7)   port='armv7'; sum='be2a5fcf4a6d5ab3b1c0d2e3f4a5b6c7d8e9fa0b' ;; \
		aarch64) port='arm64'; sum='8bb0c6ec41ae4e0b2b3c4d5e6f708192a3b4c5d6' ;; \
		*) echo >&2 "error: $machine"; exit 1 ;;\
	esac; \
	wget -O /tmp/valet.tgz "https://releases.example.org/valet/$VALET_VERSION/linux_${port}.tar.gz"; \
	echo "$sum  /tmp/valet.tgz" | sha1sum -c; \
	tar x -z -f /tmp/valet.tgz -C /usr/bin valet; \
	rm -f /tmp/valet.tgz; \
	setcap cap_net_bind_service=+ep /usr/bin/valet; \
	valet version

# See https://docs.example.org/conventions
ENV XDG_CONFIG_HOME /config
ENV XDG_DATA_HOME /data

LABEL org.opencontainers.image.version=v2.8.4
LABEL org.opencontainers.image.title=Valet
LABEL org.opencontainers.image.description="a web server with automatic certificates"
LABEL org.opencontainers.image.url=https://valet.example.org
LABEL org.opencontainers.image.licenses=Apache-2.0

EXPOSE 80
EXPOSE 443
EXPOSE 443/udp
EXPOSE 2019

WORKDIR /srv

CMD ["valet", "run", "--config", "/etc/valet/Valetfile", "--adapter", "valetfile"]
