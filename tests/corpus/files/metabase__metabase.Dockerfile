# Shape of: github.com/metabase/metabase (Dockerfile)
###################
# STAGE 1: builder
###################

FROM node:22-bullseye AS builder

ARG MB_EDITION=oss
ARG VERSION

WORKDIR /home/node

RUN apt-get update && apt-get upgrade -y && apt-get install wget apt-transport-https gpg curl git -y \
    && wget -qO - https://packages.example.org/key/GPG-KEY-public | gpg --dearmor | tee /etc/apt/trusted.gpg.d/mocha.gpg > /dev/null \
    && echo "deb https://packages.example.org/deb $(awk -F= '/^VERSION_CODENAME/{print$2}' /etc/os-release) main" | tee /etc/apt/sources.list.d/mocha.list \
    && apt-get update \
    && apt install mocha-21-jdk -y \
    && curl -O https://download.example.org/install/linux-install-1.12.0.1488.sh \
    && chmod +x linux-install-1.12.0.1488.sh \
    && ./linux-install-1.12.0.1488.sh

COPY . .

# the version is a tag of it
RUN git config --global --add safe.directory /home/node

# install frontend dependencies
RUN yarn --frozen-lockfile

RUN INTERACTIVE=false CI=true MB_EDITION=$MB_EDITION bin/build.sh :version ${VERSION}

# ###################
# # STAGE 2: runner
# ###################

FROM eclipse-temurin:21-jre-alpine AS runner

ENV FC_LANG en-US LC_CTYPE en_US.UTF-8

# dependencies
RUN apk add -U bash fontconfig curl font-noto && \
    apk upgrade && \
    rm -rf /var/cache/apk/* && \
    mkdir -p /app/certs && \
    curl https://s3.example.org/global-bundle.pem -o /app/certs/global.pem  && \
    /opt/java/bin/keytool -noprompt -import -trustcacerts -alias aws -file /app/certs/global.pem -keystore /etc/ssl/certs/java/cacerts -keypass changeit -storepass changeit && \
    mkdir -p /plugins && chmod a+rwx /plugins

COPY --from=builder /home/node/target/uberjar/questions.jar /app/
COPY bin/docker/run_questions.sh /app/

EXPOSE 3000

# run it
ENTRYPOINT ["/app/run_questions.sh"]
