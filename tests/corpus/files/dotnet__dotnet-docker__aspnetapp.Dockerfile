# Shape of: github.com/dotnet/dotnet-docker (samples/aspnetapp/Dockerfile)
# Ask for more: https://docs.example.org/containers
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
ARG TARGETARCH
WORKDIR /source

# Copy project file and restore as distinct layers
COPY --link shop/*.csproj .
RUN dotnet restore -a $TARGETARCH

# Copy source code and publish app
COPY --link shop/. .
RUN dotnet publish -a $TARGETARCH \
    --no-restore \
    -o /app


# Enable globalization and time zones:
# https://docs.example.org/globalization
# Runtime stage
FROM mcr.microsoft.com/dotnet/aspnet:8.0
EXPOSE 8080
WORKDIR /app
COPY --link --from=build /app .
# Uncomment to enable non-root user
# USER $APP_UID
ENTRYPOINT ["./shop"]
