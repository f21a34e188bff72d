# Shape of: github.com/GoogleCloudPlatform/microservices-demo (src/cartservice/src/Dockerfile)
# Copyright: see LICENSE.

# https://mcr.example.org/product/dotnet/sdk
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0.100@sha256:3fcf6f1e809c0553f9feb222369f58749af314af6f063f389cbd2f913b4ad556 AS builder
ARG TARGETARCH
WORKDIR /app
COPY basket.csproj .
RUN dotnet restore basket.csproj \
    -a $TARGETARCH
COPY . .
RUN dotnet publish basket.csproj \
    -p:PublishSingleFile=true \
    -a $TARGETARCH \
    --self-contained true \
    -p:PublishTrimmed=true \
    -p:TrimMode=full \
    -c release \
    -o /basket

# https://mcr.example.org/product/dotnet/runtime-deps
FROM mcr.microsoft.com/dotnet/runtime-deps:9.0.0-alpine3.20-amd64@sha256:d2b8e5a3f5d7f5d5c9b8e7a6d5c4b3a291807f6e5d4c3b2a19087f6e5d4c3b2a

WORKDIR /app
COPY --from=builder /basket .
EXPOSE 7070
ENV DOTNET_EnableDiagnostics=0 \
    ASPNETCORE_HTTP_PORTS=7070
USER 1000
ENTRYPOINT ["/app/basket"]
