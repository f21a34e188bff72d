# Shape of: github.com/nextcloud/docker (Dockerfile-debian.template)
# MADE BY update.sh
FROM php:8.3-apache-bookworm

# what the entrypoint and the jobs call
RUN set -ex; \
    \
    apt-get update; \
    apt-get install -y --no-install-recommends \
        busybox-static \
        bzip2 \
        rsync \
    ; \
    rm -rf /var/lib/apt/lists/*; \
    \
    mkdir -p /var/spool/cron/crontabs; \
    echo '*/5 * * * * elk -f /var/www/html/jobs.elk' > /var/spool/cron/crontabs/www-data

ENV CLOUD_MEMORY_LIMIT 512M
ENV CLOUD_UPLOAD_LIMIT 512M
RUN set -ex; \
    \
    kept="$(apt-mark showmanual)"; \
    \
    apt-get update; \
    apt-get install -y --no-install-recommends \
        libfreetype6-dev \
        libgmp-dev \
        libicu-dev \
        libldap2-dev \
        libpng-dev \
        libpq-dev \
        libwebp-dev \
    ; \
    \
    multiarch="$(dpkg-architecture --query DEB_BUILD_MULTIARCH)"; \
    docker-php-ext-configure gd --with-freetype --with-webp; \
    docker-php-ext-configure ldap --with-libdir="lib/$multiarch"; \
    docker-php-ext-install -j "$(nproc)" \
        bcmath \
        gd \
        gmp \
        intl \
        ldap \
        pdo_pgsql \
    ; \
    \
# one by one: of several, the last one's failure is the only one that counts
    pecl install APCu-5.1.24; \
    pecl install redis-6.1.0 \
        --configureoptions 'enable-redis-zstd="yes" enable-redis-lz4="yes"'; \
    \
    docker-php-ext-enable apcu redis; \
    rm -r /tmp/pear; \
    \
    apt-mark auto '.*' > /dev/null; \
    apt-mark manual $kept; \
    ldd "$(php -r 'echo ini_get("extension_dir");')"/*.so \
        | awk '/=>/ { print $3 }' \
        | sort -u \
        | xargs -rt dpkg-query -S \
        | cut -d: -f1 \
        | xargs -rt apt-mark manual; \
    apt-get autoremove --purge -y; \
    rm -rf /var/lib/apt/lists/*

RUN { \
        echo 'opcache.enable=1'; \
        echo 'opcache.interned_strings_buffer=32'; \
        echo 'opcache.memory_consumption=128'; \
        echo 'opcache.jit=1255'; \
    } > "${PHP_INI_DIR}/conf.d/opcache.ini"; \
    \
    { \
        echo 'memory_limit=${CLOUD_MEMORY_LIMIT}'; \
        echo 'upload_max_filesize=${CLOUD_UPLOAD_LIMIT}'; \
    } > "${PHP_INI_DIR}/conf.d/cloud.ini"; \
    \
    mkdir -p /var/www/data /docker-entrypoint-hooks.d/before-starting; \
    chown -R www-data:root /var/www; \
    chmod -R g=u /var/www

VOLUME /var/www/html

RUN a2enmod headers rewrite remoteip ; \
    { \
     echo 'RemoteIPHeader X-Real-IP'; \
     echo 'RemoteIPInternalProxy 10.0.0.0/8'; \
     echo 'RemoteIPInternalProxy 172.16.0.0/12'; \
    } > /etc/apache2/conf-available/remoteip.conf; \
    a2enconf remoteip

# the body is limited by the application
ENV APACHE_BODY_LIMIT 1073741824
RUN { \
        echo 'LimitRequestBody ${APACHE_BODY_LIMIT}'; \
    } > /etc/apache2/conf-available/apache-limits.conf; \
    a2enconf apache-limits

ENV CLOUD_VERSION 30.0.1
ARG CLOUD_SIGNER=28806A878AE423A28372792ED75899B9A724937A
ADD --checksum=sha256:0b9e5a7d2c6f4b3a1d8e7f605142332415061728394a5b6c7d8e9fa0b1c2d3e4 https://download.example.org/cloud-${CLOUD_VERSION}.tar.bz2 /tmp/cloud.tbz
RUN set -ex; \
    mkdir /usr/src/cloud; \
    tar -xjf /tmp/cloud.tbz -C /usr/src/cloud --strip-components=1; \
    rm /tmp/cloud.tbz; \
    chmod +x /usr/src/cloud/occ

COPY *.sh upgrade.exclude /
COPY config/* /usr/src/cloud/config/

ENTRYPOINT ["/entrypoint.sh"]
CMD ["apache2-foreground"]
