"""Small images made by the tests themselves."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path

from pybuild.runtime.image.descriptor import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
)


def digest_of(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


class Image:
    """One platform's image: `blobs` by digest hold config, layers and manifest."""

    def __init__(
        self, *layers: bytes, architecture: str = "amd64", compress: bool = True, **manifest: object
    ) -> None:
        self.blobs: dict[str, bytes] = {}
        self.diff_ids = [digest_of(layer) for layer in layers]
        self.layers = []
        for layer in layers:
            data = gzip.compress(layer, 1, mtime=0) if compress else layer
            self.layers.append(self._put(OCI_LAYER_GZIP if compress else OCI_LAYER, data))
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": ["A=b"]},
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        }
        self.config_bytes = json.dumps(config).encode()
        self.config = self._put(OCI_CONFIG, self.config_bytes)
        value = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
            **manifest,
        }
        self.platform = {"architecture": architecture, "os": "linux"}
        self.manifest = self._put(OCI_MANIFEST, json.dumps(value).encode())

    def _put(self, media_type: str, data: bytes) -> Descriptor:
        self.blobs[digest_of(data)] = data
        return Descriptor(media_type, digest_of(data), len(data))

    @property
    def entry(self) -> Descriptor:
        """How an index lists it."""
        found = self.manifest
        return Descriptor(found.media_type, found.digest, found.size, platform=self.platform)

    def serve(self, registry: object, repository: str, *tags: str) -> None:
        """Put it into an in-memory registry."""
        for digest, data in self.blobs.items():
            if digest != self.manifest.digest:
                registry.add(repository, data)  # type: ignore[attr-defined]
        for tag in tags or (self.manifest.digest,):
            registry.tag(  # type: ignore[attr-defined]
                repository, tag, self.manifest.media_type, self.blobs[self.manifest.digest]
            )


def index_of(*entries: Descriptor) -> tuple[Descriptor, bytes]:
    value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
    data = json.dumps(value).encode()
    return Descriptor(OCI_INDEX, digest_of(data), len(data)), data


def write_layout(path: Path, blobs: dict[str, bytes], *entries: Descriptor) -> Path:
    """An OCI image layout with these blobs, and an index.json of these entries."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    for digest, data in blobs.items():
        (path / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index = {"schemaVersion": 2, "manifests": [entry.to_json() for entry in entries]}
    (path / "index.json").write_text(json.dumps(index))
    return path
