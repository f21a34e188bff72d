# Shape of: github.com/GoogleCloudPlatform/microservices-demo (src/emailservice/Dockerfile)
# Copyright: see LICENSE.
FROM --platform=$BUILDPLATFORM python:3.12.7-slim AS base

FROM base AS builder

RUN apt-get -qq update \
    && apt-get install -y --no-install-recommends \
        g++ \
    && rm -rf /var/lib/apt/lists/*

# get packages
COPY requirements.txt .
RUN pip install -r requirements.txt

FROM base
ENV PYTHONUNBUFFERED=1
ENV ENABLE_PROFILER=1

WORKDIR /letters

COPY --from=builder /usr/local/lib/python3.12/ /usr/local/lib/python3.12/

COPY . .

EXPOSE 8080
ENTRYPOINT [ "python", "letters.py" ]
