# Shape of: github.com/discourse/discourse_docker (image/base/Dockerfile)
# NAME:     forum/base
# VERSION:  release

ARG DEBIAN_RELEASE=bookworm

FROM forum/ruby:3.3.4-${DEBIAN_RELEASE}-slim AS discourse_dependencies

ARG DEBIAN_RELEASE
ENV PG_MAJOR=13 \
    RUBY_ALLOCATOR=/usr/lib/libjemalloc.so \
    LEFTHOOK=0 \
    DEBIAN_RELEASE=${DEBIAN_RELEASE}

#LABEL maintainer="A. Person \"https://people.example.org/a\""

# Numbers before packages: they are those of files on
# volumes.
RUN groupadd --gid 104 postgres && \
    useradd --uid 101 --gid 104 --home /var/lib/postgresql --shell /bin/bash -c "PostgreSQL administrator,,," postgres && \
    groupadd --gid 1000 forum && \
    useradd --uid 1000 --gid 1000 -m --shell /bin/bash forum

RUN echo 2.0.`date +%Y%m%d` > /VERSION
RUN echo "deb http://deb.example.org/debian ${DEBIAN_RELEASE}-backports main" > "/etc/apt/sources.list.d/${DEBIAN_RELEASE}-backports.list"
RUN echo "debconf debconf/frontend select Teletype" | debconf-set-selections
RUN apt-get update && apt-get install -y gnupg sudo curl fping locales ca-certificates rsync cmake
RUN sh -c "fping proxy && echo 'Acquire { Retries \\\"0\\\"; HTTP { Proxy \\\"http://proxy:3128\\\";}; };' > /etc/apt/apt.conf.d/40proxy && apt update || true"
RUN apt-mark hold initscripts
RUN apt-get -y upgrade

RUN sed -i "s/^# $LANG/$LANG/" /etc/locale.gen; locale-gen
ENV LC_ALL=en_US.UTF-8 LANGUAGE=en_US.UTF-8
RUN install -d /usr/share/postgresql-common/pgdg &&\
    curl -o /usr/share/postgresql-common/pgdg/archive.asc --fail https://www.example.org/media/keys/ACCC4CF8.asc &&\
    echo "deb [signed-by=/usr/share/postgresql-common/pgdg/archive.asc] https://apt.example.org/pub/repos/apt ${DEBIAN_RELEASE}-pgdg main" > /etc/apt/sources.list.d/pgdg.list

RUN --mount=type=tmpfs,target=/var/log \
    apt-get update && \
    apt-get install -y --no-install-recommends autoconf build-essential nodejs \
      git wget \
      libxslt-dev libcurl4-openssl-dev \
      postgresql-${PG_MAJOR} postgresql-contrib-${PG_MAJOR} \
      cron anacron psmisc runit
RUN sed -i -e 's/start -q anacron/anacron -s/' /etc/cron.d/anacron
RUN sed -i.bak 's/$ModLoad imklog/#$ModLoad imklog/' /etc/rsyslog.conf
RUN sh -c "test -f /sbin/initctl || ln -s /bin/true /sbin/initctl"
RUN cd / &&\
    apt-get -y install runit socat &&\
    mkdir -p /etc/runit/1.d &&\
    apt-get clean &&\
    rm -f /etc/apt/apt.conf.d/40proxy

ADD install-nginx /tmp/install-nginx
RUN --mount=type=tmpfs,target=/tmp/n /tmp/install-nginx && rm /tmp/install-nginx

# huge pages are off for what it starts: the
# flag is
# inherited
ADD thpoff.c /src/thpoff.c
RUN gcc -o /usr/local/sbin/thpoff /src/thpoff.c && rm /src/thpoff.c

RUN rm -f /etc/service

COPY etc/  /etc
COPY sbin/ /sbin

FROM discourse_dependencies AS discourse_slim

RUN cd / && git clone https://git.example.org/pups.git
RUN --mount=type=tmpfs,target=/root/.bundle \
    sudo -u forum git clone --filter=tree:0 https://git.example.org/forum.git /var/www/forum &&\
    cd /var/www/forum &&\
    git remote set-branches --add origin tests-passed &&\
    sudo -u forum bundle config --local deployment true &&\
    sudo -u forum bundle install --jobs $(($(nproc) - 1)) &&\
    find /var/www/forum/vendor/bundle -name cache -not -path '*/gems/*' -type d -exec rm -rf {} +

FROM discourse_slim AS release
RUN cd /var/www/forum && sudo -u forum /bin/bash -c 'pnpm install --frozen-lockfile'
