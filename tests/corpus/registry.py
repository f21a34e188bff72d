"""A registry of every image there is: the config of an image follows from its name.

Names that the corpus builds on get the environment, user and working directory that images of their kind have,
so that what stages inherit is exercised; all others are an Alpine-like system with a PATH.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.compiler.lower.dockerfile.world import PATH, World

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.ops import Platform

BIN = PATH.removeprefix("PATH=")

KINDS: list[tuple[str, dict[str, Any]]] = [
    (r"/golang:", {"Env": [f"PATH=/go/bin:/usr/local/go/bin:{BIN}", "GOPATH=/go"], "WorkingDir": "/go"}),
    (
        r"/python:",
        {"Env": [f"PATH=/usr/local/bin:{BIN}", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.7"], "Cmd": ["python3"]},
    ),
    (
        r"/node:",
        {"Env": [PATH, "NODE_VERSION=20.18.0"], "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["node"]},
    ),
    (r"/rust:", {"Env": [f"PATH=/usr/local/cargo/bin:{BIN}", "CARGO_HOME=/usr/local/cargo"]}),
    (r"/ruby:", {"Env": [f"PATH=/usr/local/bundle/bin:{BIN}", "GEM_HOME=/usr/local/bundle"], "Cmd": ["irb"]}),
    (r"/php:", {"Env": [PATH, "PHP_INI_DIR=/usr/local/etc/php"], "WorkingDir": "/var/www/html"}),
    (
        r"temurin|openjdk|graalvm",
        {"Env": [f"PATH=/opt/java/bin:{BIN}", "JAVA_HOME=/opt/java"], "Cmd": ["jshell"]},
    ),
    (r"dotnet/", {"Env": [PATH, "ASPNETCORE_HTTP_PORTS=8080", "APP_UID=1654", "DOTNET_VERSION=8.0.10"]}),
    (
        r"nvidia/cuda",
        {"Env": [f"PATH=/usr/local/cuda/bin:{BIN}", "CUDA_VERSION=12.4.1"], "Labels": {"maintainer": "n"}},
    ),
    (
        r"distroless",
        {"Env": [PATH, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"], "User": "65532", "Cmd": None},
    ),
    (r"nginx", {"Env": [PATH], "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGQUIT", "Cmd": ["nginx"]}),
    (
        r"postgres",
        {"Env": [PATH, "PGDATA=/data", "PG_MAJOR=16"], "Volumes": {"/data": {}}, "StopSignal": "SIGINT"},
    ),
    (
        r"-onbuild",
        {"Env": [PATH], "OnBuild": ["WORKDIR /app", "COPY . .", "RUN make", "LABEL triggered=yes"]},
    ),
    (r"keycloak|jenkins|sonarqube", {"Env": [PATH], "User": "1000", "WorkingDir": "/opt"}),
    (r"busybox|/bash:", {"Env": None, "Cmd": ["sh"]}),
    (r"markdownlint", {"Env": [PATH], "User": "node", "WorkingDir": "/workdir"}),
    (r"/hello-world|tonistiigi/xx|/empty:", {"Env": None, "Cmd": None}),
]


class Registry(World):
    """Answers for any reference and platform, always alike."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        self.resolved.append((ref, platform.architecture))
        name, _, digest = ref.partition("@")
        digest = digest or "sha256:" + hashlib.sha256(ref.encode()).hexdigest()
        return ResolvedImage(f"{name}@{digest}", digest, config_of_image(ref, platform))

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self.resolve_image(ref, platform, log_name=log_name)


def config_of_image(ref: str, platform: Platform) -> bytes:
    config = next((config for pattern, config in KINDS if re.search(pattern, ref)), {"Env": [PATH]})
    layers = [f"sha256:{hashlib.sha256(f'{ref} {number}'.encode()).hexdigest()}" for number in range(2)]
    return json.dumps(
        {
            "architecture": platform.architecture,
            "os": platform.os,
            **({"variant": platform.variant} if platform.variant else {}),
            "created": "2024-10-17T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": layers},
            "history": [
                {"created": "2024-10-17T00:00:00Z", "created_by": f"COPY rootfs{number} / # buildkit"}
                for number in range(2)
            ],
        }
    ).encode()
