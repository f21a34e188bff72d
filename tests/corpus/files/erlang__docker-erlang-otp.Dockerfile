# Shape of: github.com/erlang/docker-erlang-otp (27/Dockerfile)
FROM buildpack-deps:bookworm

ENV BEAM_VERSION="27.1.2" \
    BAR_VERSION="3.24.0"

LABEL org.opencontainers.image.version=$BEAM_VERSION

# manual pages in the form the shell shows, none for people
RUN set -xe \
	&& runtime='libodbc1 \
			libsctp1 \
			libwxgtk3.2' \
	&& compile='unixodbc-dev \
			libsctp-dev \
			libwxgtk3.2-dev' \
	&& apt-get update \
	&& apt-get install -y --no-install-recommends $runtime $compile \
	&& mkdir -p "/tmp/beam_${BEAM_VERSION%%@*}" \
	&& cd "/tmp/beam_${BEAM_VERSION%%@*}" \
	&& curl -fsSL "https://code.example.org/beam/${BEAM_VERSION}.tgz" | tar -xz --strip-components=1 \
	&& ( ./autogen \
	  && ./configure --enable-smp \
	  && make -j$(nproc) all chunks \
	  && make install install-chunks ) \
	&& find /usr/local -type d -name examples -prune -exec rm -rf {} + \
	&& cd / && rm -rf /tmp/beam_* \
	&& apt-get purge -y --auto-remove $compile \
	&& rm -rf /var/lib/apt/lists/*

CMD ["beam"]

RUN set -xe \
	&& curl -fsSL "https://code.example.org/bar/${BAR_VERSION}/bar" -o /usr/local/bin/bar \
	&& chmod +x /usr/local/bin/bar
