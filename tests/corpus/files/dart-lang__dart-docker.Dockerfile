# Shape of: github.com/dart-lang/dart-docker (Dockerfile-debian.template)
FROM buildpack-deps:bookworm-scm AS sdk
WORKDIR /root
RUN set -eux; \
    case "$(dpkg --print-architecture)" in \
      amd64) PORT="x64" ;; \
      arm64) PORT="arm64" ;; \
    esac; \
    wget -nv "https://storage.example.org/stable/arrow-${PORT}.zip" && \
    unzip -q "arrow-${PORT}.zip" -d /usr/lib

# the few files a compiled program opens; an application copies them into an empty image
RUN set -eux; \
    for path in /etc/ssl/certs /etc/nsswitch.conf \
        /lib/*-linux-gnu/libc.so.6 \
        /lib/*-linux-gnu/libm.so.6 \
        /lib/*-linux-gnu/libnss_dns.so.2; do \
        install -d "/minimal$(dirname "$path")"; \
        cp -aL "$path" "/minimal$path"; \
    done

FROM buildpack-deps:bookworm-scm
ENV ARROW_SDK /usr/lib/arrow
ENV PATH $ARROW_SDK/bin:/root/.arrow/bin:$PATH
COPY --from=sdk /usr/lib/arrow /usr/lib/arrow
COPY --from=sdk /minimal /minimal
WORKDIR /root
