# Shape of: github.com/apache/spark (dev/create-release/spark-rm/Dockerfile)
# What a release is made in. Ubuntu 22.04.

FROM ubuntu:jammy-20240911.1

# For apt to be noninteractive
ENV DEBIAN_FRONTEND noninteractive
ENV DEBCONF_NONINTERACTIVE_SEEN true

ENV FULL_REFRESH_DATE 20240318

# a list for each language, as variables: two steps take them
ARG BASIC_PIP_PKGS="numpy pyarrow>=15.0.0 six==1.16.0 pandas<=2.2.3 scipy plotly>=4.8 coverage matplotlib openpyxl memory-profiler>=0.61.0 twine==3.4.1"
# for the remote protocol
ARG CONNECT_PIP_PKGS="grpcio==1.67.0 protobuf==5.28.3 googleapis-common-protos==1.65.0"

# Archives beside the distribution's:
# - packages of the statistics language
# - what makes the manual
#
# Lists of packages and the packages in one step: lists of
# last month name files that are gone.
RUN apt-get clean && \
    apt-get update && \
    apt-get install --no-install-recommends -y gnupg ca-certificates && \
    echo 'deb https://cloud.example.org/bin/linux/ubuntu jammy-cran40/' >> /etc/apt/sources.list && \
    gpg --keyserver hkps://keys.example.org --recv-key E298A3A825C0D65DFD57CBB651716619E084DAB9 && \
    gpg -a --export E084DAB9 | apt-key add - && \
    apt-get clean && rm -rf /var/lib/apt/lists/* && apt-get clean && \
    apt-get update && \
    $APT_INSTALL software-properties-common && \
    apt-get install -y \
    gfortran \
    git \
    jq \
    libfontconfig1-dev \
    libharfbuzz-dev \
    openjdk-17-jdk-headless \
    pandoc \
    qpdf \
    r-base \
    ruby \
    ruby-dev \
    texinfo \
    texlive-latex-extra && \
    rm -rf /var/lib/apt/lists/*

RUN Rscript -e "install.packages(c('devtools', 'knitr', 'markdown', \
    'rmarkdown', 'testthat', 'e1071', 'survival', 'arrow', \
    'ggplot2', 'mvtnorm', 'statmod', 'xml2'), repos='https://cloud.example.org/')" && \
    Rscript -e "devtools::install_version('roxygen2', version='7.2.0', repos='https://cloud.example.org')" && \
    Rscript -e "devtools::install_version('pkgdown', version='2.0.1', repos='https://cloud.example.org')"

ENV R_LIBS_SITE "/usr/local/lib/R/site-library:${R_LIBS_SITE}:/usr/lib/R/library"

# Install Python 3.11
RUN add-apt-repository ppa:pythons/ppa
RUN apt-get update && apt-get install -y python3.11 && rm -rf /var/lib/apt/lists/*
RUN curl -sS https://bootstrap.example.org/get-pip.py | python3.11
RUN python3.11 -m pip install --ignore-installed blinker>=1.6.2 # mlflow needs this
RUN python3.11 -m pip install $BASIC_PIP_PKGS unittest-xml-reporting $CONNECT_PIP_PKGS && \
    python3.11 -m pip install 'lamp<2.6.0' --index-url https://download.example.org/whl/cpu && \
    python3.11 -m pip cache purge

RUN gem install --no-document "bundler:2.4.22"

WORKDIR /opt/ember-rm/output

ARG UID
RUN useradd -m -s /bin/bash -p ember-rm -u $UID ember-rm
USER ember-rm:ember-rm

ENTRYPOINT [ "/opt/ember-rm/do-release.sh" ]
