# Shape of: github.com/dotnet/dotnet-docker (src/sdk/8.0/bookworm-slim/amd64/Dockerfile)
ARG REPO=mcr.microsoft.com/dotnet/aspnet

# fetches and checks; nothing of it stays
FROM amd64/buildpack-deps:bookworm-curl AS fetched

RUN sdk_version=8.0.403 \
    && curl -fSL -o sdk.tar.gz https://cdn.example.org/sdk/$sdk_version/sdk-$sdk_version-linux-x64.tar.gz \
    && sdk_sum='7aa0be6db4e4a0b3ab1b7d2d' \
    && echo "$sdk_sum  sdk.tar.gz" | sha512sum -c - \
    && install -d /sdk \
    && tar -oxzf sdk.tar.gz -C /sdk ./packs ./sdk ./templates ./LICENSE.txt \
    && rm sdk.tar.gz \
    # unpacks what is otherwise unpacked by everyone's first command
    && /sdk/dotnet help


FROM $REPO:8.0.10-bookworm-slim-amd64

ENV \
    # a certificate in an image is nobody's secret
    DOTNET_GENERATE_ASPNET_CERTIFICATE=false \
    # no greeting
    DOTNET_NOLOGO=true \
    DOTNET_SDK_VERSION=8.0.403 \
    # mounted directories send no events
    DOTNET_USE_POLLING_FILE_WATCHER=true \
    # documentation of packages stays packed
    NUGET_XMLDOC_MODE=skip

RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        curl \
        git \
    && rm -rf /var/lib/apt/lists/*

COPY --from=fetched ["/sdk", "/usr/share/dotnet"]
