# Shape of: github.com/mlflow/mlflow (dev/Dockerfile.protos)
# Remembers which compiler the generated code is of
FROM ubuntu:20.04

RUN apt-get update && apt-get install --yes wget unzip
WORKDIR /app/protoc
RUN wget https://releases.example.org/v3.19.4/protoc-3.19.4-linux-x86_64.zip -O tmp.zip && unzip tmp.zip && rm tmp.zip

FROM ubuntu:20.04 AS newer
RUN apt-get update && apt-get install --yes wget unzip
WORKDIR /app/protoc
RUN wget https://releases.example.org/v26.0/protoc-26.0-linux-x86_64.zip -O tmp.zip && unzip tmp.zip && rm tmp.zip

# both, to generate with each
FROM scratch
COPY --from=0 /app/protoc /old
COPY --from=newer /app/protoc /new
