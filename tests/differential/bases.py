"""Base images: busybox with a few files that edge cases want, under the config a case asks for, as OCI layouts
whose bytes are the same each time, pushed to the test registry by skopeo."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from attrs import evolve
from tests.differential.casebook import FileEntry, entries
from tests.differential.contexts import tar_bytes
from tests.differential.imagetree import Tree, apply_layer

REPOSITORY = "pybuild-differential"
PLAIN = '{"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]}'
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_ROOT = r"""
bin/                    0755
dev/                    0755
etc/                    0755
etc/passwd              root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nuser:x:1000:1000::/home/user:\n
etc/group               root:x:0:\ndaemon:x:1:\nadm:x:4:root,daemon\nuser:x:1000:\nstaff:x:50:user\n
home/                   0755
home/user/              0750 1000:1000
proc/                   0555
root/                   0700
sys/                    0555
tmp/                    1777
usr/                    0755
usr/bin/                0755
var/                    0755
var/data/               0755
var/data/one            0640 1:4 one\n
var/data/two            0644 two\n
var/data/sub/           2775 0:50
var/data/sub/three      0600 1000:1000 three\n
var/link                -> data
var/absolute            -> /var/data/sub
var/tool                4755 tool\n
var/capable             0755 xattr:security.capability=CAP_NET_BIND_SERVICE capable\n
"""
# Version 2 of the attribute, effective: the permitted set has bit 10.
_CAPABILITY = b"\x01\x00\x00\x02\x00\x04" + bytes(14)


def _with_capability(entry: FileEntry) -> FileEntry:
    return evolve(entry, xattrs=tuple((name, _CAPABILITY) for name, _ in entry.xattrs))


def busybox_layer() -> bytes:
    """The root file system as a tar archive: statically linked busybox and the files above."""
    program = shutil.which("busybox")
    if program is None:
        raise RuntimeError("busybox is not installed (Debian: busybox-static)")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True, timeout=20)
    out = io.BytesIO(tar_bytes(map(_with_capability, entries(_ROOT))))
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("bin/busybox")
        data = Path(program).read_bytes()
        member.mode, member.size = 0o755, len(data)
        archive.addfile(member, io.BytesIO(data))
        for name in sorted(set(listed.stdout.split()) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return out.getvalue()


def machine() -> str:
    """This machine's architecture, as images name it."""
    return _MACHINES[platform.machine()]


class Bases:
    """References of base images by config, pushed to `registry` when first asked for."""

    def __init__(self, directory: Path, registry: str) -> None:
        self._directory = directory
        self._registry = registry
        self._layer = busybox_layer()
        self._pushed: dict[str, str] = {}
        self.tree: Tree = {}
        """What each of them holds."""

        apply_layer(self.tree, self._layer)

    def reference(self, config: str | None = None) -> str:
        """`HOST:PORT/NAME:TAG` of the image with this config (JSON of the OCI config's `config`)."""
        text = config if config is not None else PLAIN
        if text not in self._pushed:
            self._pushed[text] = self._push(json.loads(text))
        return self._pushed[text]

    def layout(self, config: str | None = None) -> Path:
        """The OCI layout of that image."""
        return self._directory / self.reference(config).rpartition(":")[2]

    def _push(self, config: dict[str, Any]) -> str:
        tag = hashlib.sha256(json.dumps(config).encode() + self._layer).hexdigest()[:12]
        layout = self._directory / tag
        write_layout(layout, self._layer, config)
        reference = f"{self._registry}/{REPOSITORY}:{tag}"
        command = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:latest"]
        subprocess.run([*command, f"docker://{reference}"], check=True, timeout=60)
        return reference


def write_layout(
    path: Path, layer: bytes, config: dict[str, Any], *more: bytes, architecture: str = ""
) -> None:
    """An OCI layout of one image, with `more` layers over the first; for this machine unless `architecture` says
    otherwise."""
    layers = (layer, *more)
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(kind: str, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    image = {
        "architecture": architecture or machine(),
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": config,
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + hashlib.sha256(one).hexdigest() for one in layers],
        },
        "history": [
            {"created": "2020-01-01T00:00:00Z", "created_by": "busybox root", "author": "tests"}
            for _ in layers
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put("config.v1+json", json.dumps(image).encode()),
        "layers": [put("layer.v1.tar+gzip", gzip.compress(one, 1, mtime=0)) for one in layers],
    }
    entry = put("manifest.v1+json", json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
