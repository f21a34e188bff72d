# Shape of: github.com/plausible/analytics (Dockerfile)
# releases hold compiled libraries, so each
# platform makes its own

#### Builder
FROM hexpm/elixir:1.17.3-erlang-27.1.2-alpine-3.20.3 AS buildcontainer

ARG MIX_ENV=ce

# preparation
ENV MIX_ENV=$MIX_ENV
ENV NODE_ENV=production
ENV NODE_OPTIONS=--openssl-legacy-provider

# the emulator of other machines needs one
ARG ERL_FLAGS
ENV ERL_FLAGS=$ERL_FLAGS

RUN mkdir /app
WORKDIR /app

# install build dependencies
RUN apk add --no-cache git nodejs npm make gcc libc-dev

COPY mix.exs ./
COPY mix.lock ./
COPY config ./config
RUN mix local.hex --force && \
  mix local.rebar --force && \
  mix deps.get --only ${MIX_ENV} && \
  mix deps.compile

COPY assets/package.json assets/package-lock.json ./assets/
RUN npm install --prefix ./assets

COPY assets ./assets
COPY priv ./priv
COPY lib ./lib
COPY storybook ./storybook

RUN npm run deploy --prefix ./tracker && \
  mix assets.deploy && \
  mix phx.digest priv/static && \
  mix download_country_database && \
  # https://docs.example.org/sentry/source-context
  mix sentry.package_source_code

WORKDIR /app
COPY rel rel
RUN mix release credible

# Main Docker Image
FROM alpine:3.20.3
LABEL maintainer="credible.example.org <hello@example.org>"

ARG BUILD_METADATA={}
ENV BUILD_METADATA=$BUILD_METADATA
ENV LANG=C.UTF-8
ARG MIX_ENV=ce
ENV MIX_ENV=$MIX_ENV

RUN adduser -S -H -u 999 -G nogroup credible

RUN apk upgrade --no-cache
RUN apk add --no-cache openssl ncurses libstdc++ libgcc ca-certificates \
  && if [ "$MIX_ENV" = "ce" ]; then apk add --no-cache certbot; fi

COPY --from=buildcontainer --chmod=555 /app/_build/${MIX_ENV}/rel/credible /app
COPY --chmod=755 ./rel/docker-entrypoint.sh /entrypoint.sh

# any user number
RUN mkdir -p /var/lib/credible && chmod ugo+rw -R /var/lib/credible

USER 999
WORKDIR /app
ENV LISTEN_IP=0.0.0.0
ENTRYPOINT ["/entrypoint.sh"]
EXPOSE 8000
ENV DEFAULT_DATA_DIR=/var/lib/credible
VOLUME /var/lib/credible
CMD ["run"]
