# Shape of: github.com/k3s-io/k3s (Dockerfile.dapper)
ARG GOLANG=golang:1.22.8-alpine3.20
FROM ${GOLANG}

# Set proxy environment variables
ARG http_proxy
ARG https_proxy
ARG no_proxy
ENV http_proxy=${http_proxy} \
    https_proxy=${https_proxy} \
    no_proxy=${no_proxy}

# Install necessary packages
RUN apk -U --no-cache add \
    bash git gcc musl-dev docker vim less file curl wget ca-certificates jq linux-headers \
    zlib-dev tar zip squashfs-tools npm coreutils openssl-dev libffi-dev libseccomp \
    libseccomp-dev libseccomp-static make libuv-static sqlite-dev sqlite-static \
    libselinux libselinux-dev zlib-static zstd pigz alpine-sdk binutils-gold btrfs-progs-dev \
    btrfs-progs-static gawk yq pipx \
    && [ "$(go env GOARCH)" = "amd64" ] && apk -U --no-cache add mingw-w64-gcc || true

# Install AWS CLI
RUN PIPX_BIN_DIR=/usr/local/bin pipx install awscli

# Install Trivy
ENV SCAN_VERSION="0.56.2"
RUN case "$(go env GOARCH)" in \
    arm64) SCAN_ARCH="ARM64" ;; \
    amd64) SCAN_ARCH="64bit" ;; \
    s390x) SCAN_ARCH="s390x" ;; \
    *) SCAN_ARCH="" ;; \
    esac \
    && if [ -n "${SCAN_ARCH}" ]; then \
        wget --no-verbose "https://releases.example.org/v${SCAN_VERSION}/scan_${SCAN_VERSION}_Linux-${SCAN_ARCH}.tar.gz" \
        && tar -zxvf "scan_${SCAN_VERSION}_Linux-${SCAN_ARCH}.tar.gz" \
        && mv scan /usr/local/bin; \
    fi

# Install goimports
RUN GOPROXY=direct go install golang.example.org/x/tools/cmd/goimports@gopls/v0.16.0

# Cleanup
RUN rm -rf /go/src /go/pkg

# Set SELINUX environment variable
ARG SELINUX=true
ENV SELINUX=${SELINUX}

# Set Dapper configuration variables
ENV DAPPER_RUN_ARGS="--privileged -v little-cache:/go/src/example.org/little/.cache -v trivy-cache:/root/.cache/trivy" \
    DAPPER_ENV="REPO TAG DRONE_TAG IMAGE_NAME SKIP_VALIDATE SKIP_IMAGE SKIP_AIRGAP AWS_SECRET_ACCESS_KEY AWS_ACCESS_KEY_ID GITHUB_TOKEN GOLANG GOCOVER DEBUG" \
    DAPPER_SOURCE="/go/src/example.org/little/" \
    DAPPER_OUTPUT="./bin ./dist ./build/out ./build/static ./pkg/static ./pkg/deploy" \
    DAPPER_DOCKER_SOCKET=true \
    CROSS=true \
    STATIC_BUILD=yes
# one line below, for it expands what is above
ENV HOME=${DAPPER_SOURCE}

WORKDIR ${DAPPER_SOURCE}

ENTRYPOINT ["./scripts/entry.sh"]
CMD ["ci"]
