# syntax=docker/dockerfile:1.4
# Shape of: github.com/docker/awesome-compose (nginx-flask-mongo/flask/Dockerfile)
# Build with: --build-context common=local:shared --build-context golden=docker-image://docker.io/library/python:3.12-alpine --build-arg BUILDKIT_MULTI_PLATFORM=1
FROM --platform=$BUILDPLATFORM golden AS builder

WORKDIR /src
COPY requirements.txt /src
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=ssh \
    --mount=type=bind,from=common,source=constraints.txt,target=/tmp/constraints.txt \
    pip3 install -r requirements.txt -c /tmp/constraints.txt

COPY . .
COPY --from=common /certificates/*.pem /etc/ssl/private/

CMD ["python3", "server.py"]

FROM builder AS dev-envs

RUN <<EOF
apk update
apk add git
EOF

RUN <<EOF
addgroup -S docker
adduser -S --shell /bin/bash --ingroup docker vscode
EOF

# the client, for those who work in here
COPY --from=gloursdocker/docker / /
