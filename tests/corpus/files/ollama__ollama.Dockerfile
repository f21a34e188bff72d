# Shape of: github.com/ollama/ollama (Dockerfile)
ARG GOLANG_VERSION=1.22.8
ARG CMAKE_VERSION=3.31.2
ARG CUDA_VERSION=12.4.0
ARG ROCM_VERSION=6.1.2

# only what the generators read, so that a change elsewhere starts none of them
FROM scratch AS kernels-src
COPY .git .git
COPY .gitmodules .gitmodules
COPY kernels kernels

FROM --platform=linux/amd64 nvidia/cuda:$CUDA_VERSION-devel-rockylinux8 AS cuda-amd64
ARG CMAKE_VERSION
COPY ./scripts/deps.sh /
RUN CMAKE_VERSION=${CMAKE_VERSION} sh /deps.sh
ENV PATH /opt/rh/gcc-toolset-10/root/usr/bin:$PATH
COPY --from=kernels-src / /src/
WORKDIR /src/kernels
ARG CGO_CFLAGS
ARG CUDA_ARCHES="50;60;70;80"
RUN --mount=type=cache,target=/root/.ccache SKIP_CPU=1 sh generate.sh

FROM --platform=linux/arm64 nvidia/cuda:$CUDA_VERSION-devel-rockylinux8 AS cuda-arm64
ARG CMAKE_VERSION
COPY ./scripts/deps.sh /
RUN CMAKE_VERSION=${CMAKE_VERSION} sh /deps.sh
ENV PATH /opt/rh/gcc-toolset-10/root/usr/bin:$PATH
COPY --from=kernels-src / /src/
WORKDIR /src/kernels
ARG CGO_CFLAGS
RUN SKIP_CPU=1 sh generate.sh

FROM --platform=linux/amd64 rocm/dev-almalinux-8:${ROCM_VERSION}-complete AS rocm-amd64
COPY ./scripts/deps.sh /
RUN sh /deps.sh
ENV LIBRARY_PATH /opt/amdgpu/lib64
COPY --from=kernels-src / /src/
WORKDIR /src/kernels
ARG AMDGPU_TARGETS
RUN SKIP_CPU=1 sh generate.sh
RUN mkdir -p /deps && \
    for lib in $(zcat /src/kernels/build/rocm*/deps.txt.gz) ; do \
        cp ${lib} /deps/ || exit 1 ; \
    done && \
    (cd /opt/rocm/lib && tar cf - rocblas/library) | (cd /deps && tar xf - )

FROM --platform=linux/amd64 rockylinux:8 AS cpu-builder-amd64
ARG CMAKE_VERSION
ARG GOLANG_VERSION
COPY ./scripts/deps.sh /
RUN CMAKE_VERSION=${CMAKE_VERSION} GOLANG_VERSION=${GOLANG_VERSION} sh /deps.sh
COPY --from=kernels-src / /src/
ARG CUSTOM_CPU_DEFS
WORKDIR /src/kernels

FROM --platform=linux/amd64 cpu-builder-amd64 AS static-amd64
RUN CPU_TARGET="static" sh generate.sh
FROM --platform=linux/amd64 cpu-builder-amd64 AS avx-amd64
RUN CPU_TARGET="avx" sh generate.sh
FROM --platform=linux/amd64 cpu-builder-amd64 AS avx2-amd64
RUN CPU_TARGET="avx2" sh generate.sh

FROM --platform=linux/arm64 rockylinux:8 AS cpu-builder-arm64
ARG GOLANG_VERSION
COPY ./scripts/deps.sh /
RUN GOLANG_VERSION=${GOLANG_VERSION} sh /deps.sh
COPY --from=kernels-src / /src/
WORKDIR /src/kernels

FROM --platform=linux/arm64 cpu-builder-arm64 AS static-arm64
RUN CPU_TARGET="static" sh generate.sh

FROM --platform=linux/amd64 static-amd64 AS build-amd64
ENV CGO_ENABLED 1
WORKDIR /src
COPY . .
COPY --from=avx-amd64 /src/kernels/build/ kernels/build/
COPY --from=avx2-amd64 /src/kernels/build/ kernels/build/
COPY --from=cuda-amd64 /src/kernels/build/ kernels/build/
COPY --from=rocm-amd64 /src/kernels/build/ kernels/build/
ARG GOFLAGS
RUN --mount=type=cache,target=/root/.ccache go build -trimpath -o dist/llama .

FROM --platform=linux/arm64 static-arm64 AS build-arm64
ENV CGO_ENABLED 1
WORKDIR /src
COPY . .
COPY --from=cuda-arm64 /src/kernels/build/ kernels/build/
ARG GOFLAGS
RUN go build -trimpath -o dist/llama .

FROM --platform=linux/amd64 scratch AS dist-amd64
COPY --from=build-amd64 /src/dist/ /
FROM --platform=linux/arm64 scratch AS dist-arm64
COPY --from=build-arm64 /src/dist/ /
FROM dist-$TARGETARCH AS dist

FROM --platform=linux/amd64 ubuntu:22.04 AS runtime-amd64
RUN apt-get update && apt-get install -y ca-certificates
COPY --from=dist-amd64 / /bin/
FROM --platform=linux/arm64 ubuntu:22.04 AS runtime-arm64
RUN apt-get update && apt-get install -y ca-certificates
COPY --from=dist-arm64 / /bin/

# for the other brand, five times as large
FROM --platform=linux/amd64 ubuntu:22.04 AS runtime-rocm
COPY --from=rocm-amd64 /deps /usr/lib/llama
COPY --from=dist-amd64 / /bin/
EXPOSE 11434
ENV LLAMA_HOST 0.0.0.0
ENTRYPOINT ["/bin/llama"]
CMD ["serve"]

FROM runtime-$TARGETARCH
EXPOSE 11434
ENV LLAMA_HOST 0.0.0.0
ENV PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENV NVIDIA_VISIBLE_DEVICES=all
ENTRYPOINT ["/bin/llama"]
CMD ["serve"]
