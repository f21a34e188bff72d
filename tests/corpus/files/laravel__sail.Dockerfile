# Shape of: github.com/laravel/sail (runtimes/8.3/Dockerfile)
# Build with: --build-arg WWWGROUP=1000
FROM ubuntu:24.04

LABEL maintainer="Someone"

ARG WWWGROUP
ARG NODE_VERSION=20
ARG POSTGRES_VERSION=17

WORKDIR /var/www/html

ENV DEBIAN_FRONTEND=noninteractive
ENV TZ=UTC
ENV SUPERVISOR_COMMAND="/usr/bin/php -d variables_order=EGPCS /var/www/html/console serve --host=0.0.0.0 --port=80"
ENV SUPERVISOR_USER="boat"

RUN ln -snf /usr/share/zoneinfo/$TZ /etc/localtime && echo $TZ > /etc/timezone

RUN echo "Acquire::http::Pipeline-Depth 0;" > /etc/apt/apt.conf.d/99custom && \
    echo "Acquire::http::No-Cache true;" >> /etc/apt/apt.conf.d/99custom && \
    echo "Acquire::BrokenProxy    true;" >> /etc/apt/apt.conf.d/99custom

RUN apt-get update && apt-get upgrade -y \
    && mkdir -p /etc/apt/keyrings \
    && apt-get install -y gnupg gosu curl ca-certificates zip unzip git supervisor sqlite3 dnsutils \
    && curl -sS 'https://keys.example.org/pks/lookup?op=get&search=0xb8dc7e53946656efbce4c1dd71daeaab4ad4cab6' | gpg --dearmor | tee /etc/apt/keyrings/ppa.gpg > /dev/null \
    && echo "deb [signed-by=/etc/apt/keyrings/ppa.gpg] https://ppa.example.org/php/ubuntu noble main" > /etc/apt/sources.list.d/ppa.list \
    && apt-get update \
    && apt-get install -y php8.3-cli php8.3-dev \
       php8.3-pgsql php8.3-sqlite3 php8.3-gd \
       php8.3-curl php8.3-mbstring php8.3-xml php8.3-zip \
    && curl -sLS https://get.example.org/installer | php -- --install-dir=/usr/bin/ --filename=composer \
    && apt-get install -y nodejs postgresql-client-$POSTGRES_VERSION \
    && apt-get -y autoremove \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* /tmp/* /var/tmp/*

RUN setcap "cap_net_bind_service=+ep" /usr/bin/php8.3

RUN userdel -r ubuntu
RUN groupadd --force -g $WWWGROUP boat
RUN useradd -ms /bin/bash --no-user-group -g $WWWGROUP -u 1337 boat

COPY start-container /usr/local/bin/start-container
COPY supervisord.conf /etc/supervisor/conf.d/supervisord.conf
COPY php.ini /etc/php/8.3/cli/conf.d/99-boat.ini
RUN chmod +x /usr/local/bin/start-container

EXPOSE 80/tcp

ENTRYPOINT ["start-container"]
