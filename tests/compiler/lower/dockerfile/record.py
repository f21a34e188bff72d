"""Records what Docker's BuildKit makes of Dockerfiles: vertices by digest, and the image config.

    DOCKER_HOST=… PYTHONPATH=. python tests/compiler/lower/dockerfile/record.py REFERENCE DIGEST [NAME…]

REFERENCE is an image that BuildKit and this machine's skopeo can pull over plain HTTP, DIGEST its manifest's.
Every `recorded/NAME.Dockerfile` (without NAMEs: all) gives a `recorded/NAME.json`. In the Dockerfiles `BASE` stands
for REFERENCE, `WEBSITE` for the address of the site that the differential cases use. Nothing may be copied from
the build context: its vertices differ from build to build.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.differential.website import Website

HERE = Path(__file__).parent / "recorded"
_INTERNAL = ("exporting", "importing", "sending", "[internal] load")
_PORT = 5990


def main(reference: str, digest: str, *names: str) -> None:
    inspect = ["skopeo", "inspect", "--tls-verify=false", "--raw", "--config", f"docker://{reference}"]
    base = json.loads(subprocess.run(inspect, capture_output=True, check=True, timeout=60).stdout)
    with tempfile.TemporaryDirectory() as directory, Website(Path(directory), _PORT) as site:
        for path in sorted(HERE.glob("*.Dockerfile")):
            if names and path.stem not in names:
                continue
            text = path.read_text().replace("BASE", reference)
            for word, value in site.words.items():
                text = text.replace(word, value)
            record = {
                "reference": reference,
                "digest": digest,
                "base": base,
                "dockerfile": text,
                **build(text),
            }
            path.with_suffix(".json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def build(text: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Dockerfile").write_text(text)
        image = Path(directory, "image.tar")
        command = ["docker", "buildx", "build", "--network=host", "--progress=rawjson"]
        command += ["-o", f"type=oci,dest={image}", directory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise SystemExit(done.stderr)
        return {"vertices": vertices(done.stderr + done.stdout), "config": config(image)}


def vertices(progress: str) -> dict[str, str]:
    """Names by digest, of the vertices that belong to the graph."""
    decoder = json.JSONDecoder()
    found: dict[str, str] = {}
    at = progress.find("{")
    while at >= 0:
        status, end = decoder.raw_decode(progress, at)
        for vertex in status.get("vertexes") or []:
            if not vertex["name"].startswith(_INTERNAL):
                found[vertex["digest"]] = vertex["name"]
        at = progress.find("{", end)
    return found


def config(image: Path) -> str:
    with tarfile.open(image) as archive:

        def blob(name: str) -> bytes:
            member = archive.extractfile(name)
            assert member is not None
            return member.read()

        value = json.loads(blob("index.json"))
        while "manifests" in value:
            value = json.loads(blob("blobs/" + value["manifests"][0]["digest"].replace(":", "/")))
        return blob("blobs/" + value["config"]["digest"].replace(":", "/")).decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
