"""Images in OCI layouts: selection, verification, and places that are none."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from pathlib import Path

import pytest
from tests.runtime.registry.images import Image, index_of, tar, write_layout

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import render
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import REF_NAME, Descriptor
from pybuild.runtime.sources.choice import NoSuchPlatform
from pybuild.runtime.sources.layout import LayoutError, LayoutSource, parse_layout_name
from pybuild.runtime.sources.place import PlaceError

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")


@pytest.fixture
def source(store: Store):  # type: ignore[no-untyped-def]
    opened = LayoutSource(store)
    yield opened
    opened.close()


@pytest.fixture
def image() -> Image:
    return Image(tar(a=b"1"), tar(b=b"2"))


@pytest.fixture
def arm() -> Image:
    return Image(tar(a=b"arm"), architecture="arm64")


def tagged(entry: Descriptor, tag: str) -> Descriptor:
    return Descriptor(entry.media_type, entry.digest, entry.size, {REF_NAME: tag}, entry.platform)


def test_the_only_image(tmp_path: Path, store: Store, source: LayoutSource, image: Image) -> None:
    path = str(write_layout(tmp_path / "l", image.blobs, image.manifest))
    found = source.resolve(path, AMD64)
    assert (found.digest, found.config) == (image.manifest.digest, image.config_bytes)
    assert found.ref == f"{path}@{image.manifest.digest}"
    layers = found.content().layers
    assert not any(store.blobs.has(layer.digest) for layer in layers)
    source.fetch(path, layers)
    assert all(store.blobs.has(layer.digest) for layer in layers)
    lowest = os.path.join(path, "blobs", "sha256", layers[0].digest[7:])
    assert os.stat(lowest).st_ino != os.stat(store.blobs.path(layers[0].digest)).st_ino


@pytest.mark.parametrize("pack", ["", "gz", "xz"])
def test_a_layout_in_a_tar_archive(
    tmp_path: Path, store: Store, source: LayoutSource, image: Image, pack: str
) -> None:
    path = write_layout(tmp_path / "l", image.blobs, image.manifest)
    archive = tmp_path / "l.tar"
    with tarfile.open(archive, f"w:{pack}") as out:  # type: ignore[call-overload]
        out.add(path, ".")
    found = source.resolve(str(archive), AMD64)
    assert found.digest == image.manifest.digest
    source.fetch(str(archive), found.content().layers)
    assert all(store.blobs.has(layer.digest) for layer in image.layers)


def test_by_tag(tmp_path: Path, source: LayoutSource, image: Image, arm: Image) -> None:
    entries = tagged(image.entry, "v1"), tagged(arm.entry, "v2")
    path = str(write_layout(tmp_path / "l", {**image.blobs, **arm.blobs}, *entries))
    assert source.resolve(f"{path}:v2", AMD64).digest == arm.manifest.digest
    assert source.resolve(f"{path}:v1", AMD64).digest == image.manifest.digest
    with pytest.raises(LayoutError, match="has no image v3") as caught:
        source.resolve(f"{path}:v3", AMD64)
    assert "tags: v1, v2" in render(caught.value.diagnostic)
    with pytest.raises(LayoutError, match="has several images"):
        source.resolve(path, AMD64)


def test_by_full_name(tmp_path: Path, source: LayoutSource, image: Image, arm: Image) -> None:
    entries = tagged(image.entry, "localhost:5000/app:v1"), tagged(arm.entry, "localhost:5000/app:v2")
    path = str(write_layout(tmp_path / "l", {**image.blobs, **arm.blobs}, *entries))
    assert source.resolve(f"{path}:v2", AMD64).digest == arm.manifest.digest


def test_latest_is_the_default_of_several(
    tmp_path: Path, source: LayoutSource, image: Image, arm: Image
) -> None:
    entries = tagged(image.entry, "latest"), tagged(arm.entry, "v2")
    path = str(write_layout(tmp_path / "l", {**image.blobs, **arm.blobs}, *entries))
    assert source.resolve(path, AMD64).digest == image.manifest.digest


@pytest.mark.parametrize("nested", [True, False])
def test_by_platform(tmp_path: Path, source: LayoutSource, image: Image, arm: Image, nested: bool) -> None:
    root, data = index_of(image.entry, arm.entry)
    blobs = {**image.blobs, **arm.blobs, root.digest: data}
    entries = [root] if nested else [image.entry, arm.entry]
    path = str(write_layout(tmp_path / "l", blobs, *entries))
    assert source.resolve(path, ARM64).manifest.digest == arm.manifest.digest
    assert source.resolve(path, AMD64).manifest.digest == image.manifest.digest
    with pytest.raises(NoSuchPlatform):
        source.resolve(path, Platform(os="linux", architecture="s390x"))


def test_by_digest_beneath_an_index(tmp_path: Path, source: LayoutSource, image: Image, arm: Image) -> None:
    root, data = index_of(image.entry, arm.entry)
    path = str(write_layout(tmp_path / "l", {**image.blobs, **arm.blobs, root.digest: data}, root))
    found = source.resolve(f"{path}@{arm.manifest.digest}", AMD64)
    assert found.manifest.digest == arm.manifest.digest
    with pytest.raises(LayoutError, match="lacks the blob sha256:0000"):
        source.resolve(f"{path}@sha256:{'0' * 64}", AMD64)


def test_names() -> None:
    digest = "sha256:" + "a" * 64
    name = parse_layout_name(f"/no/such:dir/x:v1@{digest}")
    assert (name.path, name.tag, name.digest) == ("/no/such:dir/x", "v1", digest)
    assert parse_layout_name("/no/such:dir/x").path == "/no/such:dir/x"
    with pytest.raises(LayoutError, match="is not a sha256 digest"):
        parse_layout_name("/x@sha256:abc")


def test_an_existing_path_with_a_colon_is_taken_whole(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    assert parse_layout_name(f"{tmp_path}/a:b").tag == ""
    assert parse_layout_name(f"{tmp_path}/a:b:c").tag == "c"


# Damage.


def test_a_damaged_blob(tmp_path: Path, store: Store, source: LayoutSource, image: Image) -> None:
    path = write_layout(tmp_path / "l", image.blobs, image.manifest)
    layer = path / "blobs" / "sha256" / image.layers[0].digest[7:]
    layer.write_bytes(layer.read_bytes()[::-1])
    found = source.resolve(str(path), AMD64)
    with pytest.raises(DigestMismatch):
        source.fetch(str(path), found.content().layers)
    layer.write_bytes(b"short")
    with pytest.raises(LayoutError, match="has 5 bytes, but the image describes"):
        source.fetch(str(path), found.content().layers)
    layer.unlink()
    with pytest.raises(LayoutError, match="lacks the blob"):
        source.fetch(str(path), found.content().layers)
    assert not store.blobs.has(image.layers[0].digest)


def test_a_blob_that_would_block(tmp_path: Path, source: LayoutSource, image: Image) -> None:
    path = write_layout(tmp_path / "l", image.blobs, image.manifest)
    config = path / "blobs" / "sha256" / image.config.digest[7:]
    config.unlink()
    os.mkfifo(config)
    with pytest.raises(PlaceError, match="is no regular file"):
        source.resolve(str(path), AMD64)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("oci-layout", None, "it has no oci-layout"),
        ("oci-layout", '{"imageLayoutVersion": "2.0.0"}', "its version is '2.0.0'"),
        ("index.json", None, "it has no index.json"),
        ("index.json", "{", "index.json: it is not JSON"),
        ("index.json", "[" * 100_000, "index.json: its JSON is nested too deeply"),
        ("index.json", "[]", "it is not a JSON object"),
        ("index.json", '{"manifests": []}', "its index.json is empty"),
        (
            "index.json",
            '{"manifests": [{"digest": "../../etc"}]}',
            "in its index.json a descriptor has the digest",
        ),
    ],
)
def test_what_is_no_layout(
    tmp_path: Path, source: LayoutSource, image: Image, name: str, text: str | None, problem: str
) -> None:
    path = write_layout(tmp_path / "l", image.blobs, image.manifest)
    (path / name).unlink()
    if text is not None:
        (path / name).write_text(text)
    with pytest.raises(LayoutError, match="is not an OCI image layout") as caught:
        source.resolve(str(path), AMD64)
    assert problem in str(caught.value)


def test_nothing_there(tmp_path: Path, source: LayoutSource) -> None:
    with pytest.raises(PlaceError, match="does not exist"):
        source.resolve(str(tmp_path / "none"), AMD64)


def test_a_manifest_larger_than_any(tmp_path: Path, source: LayoutSource, image: Image) -> None:
    huge = Descriptor(image.manifest.media_type, image.manifest.digest, 1 << 40)
    path = write_layout(tmp_path / "l", image.blobs, huge)
    with pytest.raises(Exception, match="is damaged: it is longer than"):
        source.resolve(str(path), AMD64)


def test_a_compressed_archive_leaves_no_file(
    tmp_path: Path, store: Store, source: LayoutSource, image: Image
) -> None:
    archive = tmp_path / "l.tar.gz"
    archive.write_bytes(
        gzip.compress(tar(**{"oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode()}))
    )
    with pytest.raises(LayoutError, match=r"it has no index\.json"):
        source.resolve(str(archive), AMD64)
    assert os.listdir(store.work) == []
