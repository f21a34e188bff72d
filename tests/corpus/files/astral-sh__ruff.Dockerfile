# Shape of: github.com/astral-sh/ruff (Dockerfile)
FROM --platform=$BUILDPLATFORM ubuntu AS build
ENV HOME="/root"
WORKDIR $HOME

RUN apt update && apt install -y build-essential curl python3-venv

# links for every machine
RUN python3 -m venv $HOME/.venv
RUN .venv/bin/pip install crate-zigbuild
ENV PATH="$HOME/.venv/bin:$PATH"

ARG TARGETPLATFORM
RUN case "$TARGETPLATFORM" in \
  "linux/arm64") echo "aarch64-unknown-linux-musl" > target.txt ;; \
  "linux/amd64") echo "x86_64-unknown-linux-musl" > target.txt ;; \
  *) exit 1 ;; \
  esac

COPY crates crates
COPY ./Crate.toml Crate.toml
COPY ./Crate.lock Crate.lock
RUN crate zigbuild --bin collar --target $(cat target.txt) --release
RUN cp target/$(cat target.txt)/release/collar /collar

FROM scratch
COPY --from=build /collar /collar
WORKDIR /io
ENTRYPOINT ["/collar"]