"""The verifier finds each single corruption, and nothing in an image that is whole."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from pybuild.runtime.content.store import Store
from pybuild.runtime.image.compression import Compression, Compressor
from pybuild.runtime.image.descriptor import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from pybuild.runtime.image.tarwriter import header
from pybuild.runtime.verify.archives import (
    verify_docker_archive,
    verify_fetched,
    verify_layout,
    verify_stored,
)

Json = dict[str, object]


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


class Layout:
    """A layout of one manifest in a directory, whose parts can be changed and named anew."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        self.tar = header(b"f", size=3, mode=0o644) + b"abc".ljust(512, b"\0") + bytes(1024)
        out: list[bytes] = []
        with Compressor(Compression(), out.append) as compressor:
            compressor.write(self.tar)
            compressor.close()
        self.blob = b"".join(out)
        self.config: Json = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [digest(self.tar)]},
            "history": [{"created_by": "x"}, {"created_by": "y", "empty_layer": True}],
        }
        self.manifest: Json = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {},
            "layers": [{"mediaType": OCI_LAYER_GZIP, "digest": digest(self.blob), "size": len(self.blob)}],
        }
        self.entry: Json = {"platform": {"architecture": "amd64", "os": "linux"}}
        self.write()

    def put(self, data: bytes) -> Json:
        (self.root / "blobs" / "sha256" / digest(data)[7:]).write_bytes(data)
        return {"digest": digest(data), "size": len(data)}

    def write(self) -> None:
        """All parts that name others by digest, from the config up."""
        self.put(self.blob)
        config = self.put(json.dumps(self.config).encode())
        self.manifest["config"] = {"mediaType": OCI_CONFIG, **config, **self.manifest.get("force", {})}  # type: ignore[dict-item]
        manifest = self.put(json.dumps(self.manifest).encode())
        entry = {"mediaType": OCI_MANIFEST, **manifest, **self.entry}
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
        (self.root / "index.json").write_text(json.dumps(index))
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    @property
    def layer(self) -> Json:
        layers = self.manifest["layers"]
        assert isinstance(layers, list)
        found = layers[0]
        assert isinstance(found, dict)
        return found

    def blob_file(self, name: object) -> Path:
        return self.root / "blobs" / "sha256" / str(name)[7:]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def other_layer(layout: Layout) -> None:
    blob = layout.blob[:-8] + bytes(8)
    layout.layer.update(layout.put(blob))
    layout.write()


def changed(**values: object) -> Callable[[Layout], None]:
    """The manifest with other fields."""

    def change(layout: Layout) -> None:
        layout.manifest.update(values)
        layout.write()

    return change


def in_layer(**values: object) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.layer.update(values)
        layout.write()

    return change


def in_config(**values: object) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.config.update(values)
        layout.write()

    return change


def in_entry(**values: object) -> Callable[[Layout], None]:
    def change(layout: Layout) -> None:
        layout.entry.update(values)
        layout.write()

    return change


def manifest_name(layout: Layout) -> object:
    return json.loads((layout.root / "index.json").read_text())["manifests"][0]["digest"]


def config_name(layout: Layout) -> object:
    config = layout.manifest["config"]
    assert isinstance(config, dict)
    return config["digest"]


def junk_layer(layout: Layout) -> None:
    import gzip

    blob = gzip.compress(b"no archive" * 200)
    layout.layer.update(layout.put(blob))
    layout.config["rootfs"] = {"type": "layers", "diff_ids": [digest(b"no archive" * 200)]}
    layout.write()


CORRUPTIONS: list[tuple[str, Callable[[Layout], object]]] = [
    ("has the digest", lambda it: flip(it.blob_file(it.layer["digest"]), 5)),
    ("can't be read", lambda it: flip(it.blob_file(it.layer["digest"]), 40)),
    ("can't be read", lambda it: os.truncate(it.blob_file(it.layer["digest"]), len(it.blob) - 4)),
    ("is missing", lambda it: it.blob_file(it.layer["digest"]).unlink()),
    ("can't be read", other_layer),
    ("has the digest", lambda it: flip(it.blob_file(config_name(it)), 20)),
    ("is missing", lambda it: it.blob_file(config_name(it)).unlink()),
    ("has the digest", lambda it: flip(it.blob_file(manifest_name(it)), 30)),
    ("is missing", lambda it: it.blob_file(manifest_name(it)).unlink()),
    ("its descriptor says 7", in_layer(size=7)),
    ("its descriptor says 7", in_entry(size=7)),
    ("has gzip bytes", in_layer(mediaType="application/vnd.oci.image.layer.v1.tar")),
    ("unknown media type", in_layer(mediaType="application/x-tar")),
    ("has the diff ID", in_config(rootfs={"type": "layers", "diff_ids": [digest(b"")]})),
    ("has 1 layers, its config 0 diff IDs", in_config(rootfs={"type": "layers", "diff_ids": []})),
    ("history entries with a layer", in_config(history=[{"created_by": "x", "empty_layer": True}])),
    ("has no architecture", in_config(architecture="")),
    ("is listed for", in_entry(platform={"architecture": "arm64", "os": "linux"})),
    ("schemaVersion 1", changed(schemaVersion=1)),
    ("calls itself", changed(mediaType="application/vnd.docker.distribution.manifest.v2+json")),
    ("both an index and a manifest", changed(manifests=[])),
    ("is no tar archive", junk_layer),
    ("not JSON", lambda it: (it.root / "index.json").write_text("{")),
    ("is missing", lambda it: (it.root / "index.json").unlink()),
    ("is missing", lambda it: (it.root / "oci-layout").unlink()),
    ("has the version", lambda it: (it.root / "oci-layout").write_text('{"imageLayoutVersion":"2"}')),
    (
        "lists no manifests",
        lambda it: (it.root / "index.json").write_text('{"schemaVersion":2,"manifests":[]}'),
    ),
]


def test_a_whole_layout(tmp_path: Path) -> None:
    Layout(tmp_path / "l")
    assert verify_layout(str(tmp_path / "l")) == []
    with tarfile.open(tmp_path / "l.tar", "w") as archive:
        archive.add(tmp_path / "l", ".", filter=lambda member: member if member.isdir() else _named(member))
    assert verify_layout(str(tmp_path / "l.tar")) == []


def _named(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.name = member.name.removeprefix("./")
    return member


@pytest.mark.parametrize(("what", "corrupt"), CORRUPTIONS, ids=range(len(CORRUPTIONS)))
def test_each_corruption_is_found(tmp_path: Path, what: str, corrupt: Callable[[Layout], object]) -> None:
    layout = Layout(tmp_path / "l")
    corrupt(layout)
    found = verify_layout(str(tmp_path / "l"))
    assert any(what in repr(finding) for finding in found), found


def test_every_flipped_byte_of_a_layout_is_found(tmp_path: Path) -> None:
    """No byte of a blob can change unnoticed."""
    layout = Layout(tmp_path / "l")
    for path in sorted((layout.root / "blobs" / "sha256").iterdir()):
        original = path.read_bytes()
        for at in range(0, len(original), max(1, len(original) // 40)):
            flip(path, at)
            assert verify_layout(str(layout.root)), (path, at)
            path.write_bytes(original)
    assert verify_layout(str(layout.root)) == []


def test_stores_and_fetchers(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "l")
    name = str(manifest_name(layout))
    with Store.open(str(tmp_path / "store")) as store:
        assert [repr(f) for f in verify_stored(store, name)] == [
            f"image {name}: is missing (No such file or directory)"
        ]
        for path in (layout.root / "blobs" / "sha256").iterdir():
            store.blobs.put(path.read_bytes())
        assert verify_stored(store, name) == []
    assert verify_fetched(lambda wanted: layout.blob_file(wanted).open("rb"), name, OCI_MANIFEST) == []


def test_docker_archives(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "d")
    names = {"Config": f"blobs/sha256/{str(config_name(layout))[7:]}", "RepoTags": None}
    layers = [f"blobs/sha256/{str(layout.layer['digest'])[7:]}"]
    (layout.root / "manifest.json").write_text(json.dumps([{**names, "Layers": layers}]))
    assert verify_docker_archive(str(layout.root)) == []
    flip(layout.blob_file(layout.layer["digest"]), 5)
    assert verify_docker_archive(str(layout.root)) != []
    shutil.copy(layout.blob_file(config_name(layout)), layout.blob_file(layout.layer["digest"]))
    assert verify_docker_archive(str(layout.root)) != []
    (layout.root / "manifest.json").write_text(json.dumps([{**names, "Layers": []}]))
    assert any("diff IDs for 0 layers" in repr(f) for f in verify_docker_archive(str(layout.root)))
    (layout.root / "manifest.json").unlink()
    assert any("manifest.json: is missing" in repr(f) for f in verify_docker_archive(str(layout.root)))


def test_what_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"junk" * 500)
    for name in ("junk", "missing"):
        [finding] = verify_layout(str(tmp_path / name))
        assert "can't be read" in repr(finding)
