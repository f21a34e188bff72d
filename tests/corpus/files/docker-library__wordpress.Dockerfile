# Shape of: github.com/docker-library/wordpress (Dockerfile.template)
FROM php:8.2-apache

# persistent dependencies
RUN set -eux; \
	apt-get update; \
	apt-get install -y --no-install-recommends \
# pages of PDFs as pictures
		ghostscript \
	; \
	rm -rf /var/lib/apt/lists/*

RUN set -ex; \
	kept="$(apt-mark showmanual)"; \
	apt-get update; \
	apt-get install -y --no-install-recommends libfreetype6-dev libjpeg-dev libpng-dev libwebp-dev libzip-dev; \
	docker-php-ext-configure gd --with-freetype --with-jpeg --with-webp; \
	docker-php-ext-install -j "$(nproc)" bcmath exif gd mysqli zip; \
	\
# some misbehaving extensions print when they should not
	out="$(php -r 'exit(0);')"; \
	[ -z "$out" ]; \
	err="$(php -r 'exit(0);' 3>&1 1>&2 2>&3)"; \
	[ -z "$err" ]; \
	\
	extDir="$(php -r 'echo ini_get("extension_dir");')"; \
	[ -d "$extDir" ]; \
	apt-mark auto '.*' > /dev/null; \
	apt-mark manual $kept; \
	apt-get autoremove --purge -y; \
	! { ldd "$extDir"/*.so | grep 'not found'; }

RUN set -eux; \
	docker-php-ext-enable opcache; \
	{ \
		echo 'opcache.max_accelerated_files=4000'; \
		echo 'opcache.revalidate_freq=2'; \
	} > /usr/local/etc/php/conf.d/opcache-recommended.ini
RUN { \
		echo 'error_reporting = E_ERROR | E_WARNING | E_PARSE'; \
		echo 'display_errors = Off'; \
		echo 'error_log = /dev/stderr'; \
		echo 'ignore_repeated_errors = On'; \
	} > /usr/local/etc/php/conf.d/error-logging.ini

RUN set -eux; \
	a2enmod rewrite expires; \
	find /etc/apache2 -type f -name '*.conf' -exec sed -ri 's/([[:space:]]*LogFormat[[:space:]]+"[^"]*)%h([^"]*")/\1%a\2/g' '{}' +

RUN set -eux; \
	curl -o press.tgz -fL 'https://press.example.org/press-6.6.2.tar.gz'; \
	echo "3acbf6b94f8c4d0cb1d3ab5b5b6f8b0fe5c1e6a0 *press.tgz" | sha1sum -c -; \
	tar -xzf press.tgz -C /usr/src/; \
	rm press.tgz; \
	[ ! -e /usr/src/press/.htaccess ]; \
	{ \
		echo '# BEGIN Press'; \
		echo ''; \
		echo 'RewriteEngine On'; \
		echo 'RewriteCond %{REQUEST_FILENAME} !-f'; \
		echo 'RewriteRule . /index.php [L]'; \
		echo ''; \
		echo '# END Press'; \
	} > /usr/src/press/.htaccess; \
	chown -R www-data:www-data /usr/src/press; \
	for dir in /usr/src/press/content/*/ cache; do \
		dir="$(basename "${dir%/}")"; \
		mkdir -p "content/$dir"; \
	done; \
	chmod -R 1777 content

VOLUME /var/www/html

COPY --chown=www-data:www-data config-docker.php /usr/src/press/
COPY docker-entrypoint.sh /usr/local/bin/

ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["apache2-foreground"]
