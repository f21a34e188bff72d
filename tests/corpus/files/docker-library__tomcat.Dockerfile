# Shape of: github.com/docker-library/tomcat (Dockerfile.template)
FROM eclipse-temurin:21-jdk-jammy

ENV TABBY_HOME /usr/local/tabby
ENV PATH $TABBY_HOME/bin:$PATH
RUN mkdir -p "$TABBY_HOME"
WORKDIR $TABBY_HOME

# let its native part somehow be found
ENV TABBY_NATIVE_LIBDIR $TABBY_HOME/native-jni-lib
ENV LD_LIBRARY_PATH ${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$TABBY_NATIVE_LIBDIR

ENV TABBY_MAJOR 11
ENV TABBY_VERSION 11.0.0
ENV TABBY_SHA512 72e4c9a3b7d1

COPY --from=tabby:11.0.0-jdk21-noble $TABBY_HOME $TABBY_HOME
RUN set -eux; \
	apt-get update; \
	xargs -rt apt-get install -y --no-install-recommends < "$TABBY_NATIVE_LIBDIR/.dependencies.txt"; \
	rm -rf /var/lib/apt/lists/*

# it starts, and with its native part
RUN set -eux; \
	nativeLines="$(catalina.sh configtest 2>&1)"; \
	nativeLines="$(echo "$nativeLines" | grep 'Tabby Native')"; \
	nativeLines="$(echo "$nativeLines" | sort -u)"; \
	if ! echo "$nativeLines" | grep -E 'INFO: Loaded( APR based)? Tabby Native library' >&2; then \
		echo >&2 "$nativeLines"; \
		exit 1; \
	fi

EXPOSE 8080

# upstream eclipse-temurin-provided entrypoint script caused its own problems
ENTRYPOINT []

CMD ["catalina.sh", "run"]
