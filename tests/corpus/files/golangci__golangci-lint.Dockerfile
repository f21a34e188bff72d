# Shape of: github.com/golangci/golangci-lint (build/Dockerfile)
# the binaries are made before, by a tool for releases
FROM golang:1.23

# related to https://git.example.org/critic/issues/3107
ENV GOROOT=/usr/local/go
# the tool decides which toolchain to take
ENV GOTOOLCHAIN=auto
# all directories are safe: a mounted one has another owner
RUN git config --global --add safe.directory '*'

COPY critic /usr/bin/
CMD ["critic"]
