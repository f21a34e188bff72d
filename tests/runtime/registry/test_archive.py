"""Images in `docker save` archives of every age, and archives made to do harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.registry.images import Image, digest_of, tar, write_layout

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import UserError, render
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import CONTAINERD_NAME, OCI_LAYER, OCI_LAYER_GZIP, REF_NAME, Descriptor
from pybuild.runtime.sources.archive import ArchiveSource, ImageArchiveError, parse_archive_name

AMD64 = Platform(os="linux", architecture="amd64")
LAYERS = tar(a=b"1"), tar(b=b"2")


@pytest.fixture
def source(store: Store) -> Iterator[ArchiveSource]:
    opened = ArchiveSource(store)
    yield opened
    opened.close()


@pytest.fixture
def image() -> Image:
    return Image(*LAYERS, compress=False)


class Writer:
    """A tar archive, member by member."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive = tarfile.open(path, "w")  # noqa: SIM115

    def file(self, name: str, data: bytes) -> Writer:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self.archive.addfile(member, io.BytesIO(data))
        return self

    def link(self, name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Writer:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        self.archive.addfile(member)
        return self

    def manifest(self, *items: object) -> str:
        self.file("manifest.json", json.dumps(items).encode())
        self.archive.close()
        return str(self.path)


def item(image: Image, *layers: str, tags: list[str] | None = None) -> dict[str, object]:
    return {"Config": f"{image.config.digest[7:]}.json", "RepoTags": tags, "Layers": list(layers)}


def saved(path: Path, image: Image, **settings: object) -> str:
    out = Writer(path).file(f"{image.config.digest[7:]}.json", image.config_bytes)
    out.file("1/layer.tar", LAYERS[0]).file("2/layer.tar", LAYERS[1])
    return out.manifest(item(image, "1/layer.tar", "2/layer.tar", **settings))  # type: ignore[arg-type]


def verify(store: Store, source: ArchiveSource, name: str, *layers: bytes) -> str:
    """Resolve, fetch, and re-derive every digest; the manifest's digest."""
    found = source.resolve(name, AMD64)
    content = found.content()
    source.fetch(name, content.layers)
    assert digest_of(store.blobs.read(found.digest)) == found.digest
    manifest = json.loads(store.blobs.read(found.manifest.digest))
    assert store.blobs.read(manifest["config"]["digest"]) == found.config
    for layer, expected in zip(content.layers, layers, strict=True):
        data = store.blobs.read(layer.digest)
        assert (digest_of(data), len(data)) == (layer.digest, layer.size)
        data = gzip.decompress(data) if layer.media_type == OCI_LAYER_GZIP else data
        assert data == expected
        assert digest_of(data) == layer.diff_id
    return found.digest


def test_an_archive(tmp_path: Path, store: Store, source: ArchiveSource, image: Image) -> None:
    path = saved(tmp_path / "a.tar", image)
    assert not store.blobs.has(image.layers[0].digest)
    digest = verify(store, source, path, *LAYERS)
    assert {layer.media_type for layer in source.resolve(path, AMD64).content().layers} == {OCI_LAYER}
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
    assert verify(store, source, str(tmp_path / "b.tar.gz"), *LAYERS) == digest


def test_layers_linked_to_each_other(tmp_path: Path, store: Store, source: ArchiveSource) -> None:
    image = Image(LAYERS[0], LAYERS[0], LAYERS[0], compress=False)
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", image.config_bytes)
    out.file("1/layer.tar", LAYERS[0]).link("2/layer.tar", "../1/layer.tar")
    out.link("3/layer.tar", "2/layer.tar", tarfile.LNKTYPE)
    path = out.manifest(item(image, "1/layer.tar", "2/layer.tar", "3/layer.tar"))
    verify(store, source, path, LAYERS[0], LAYERS[0], LAYERS[0])


def test_compressed_layers(tmp_path: Path, store: Store, source: ArchiveSource, image: Image) -> None:
    packed = [gzip.compress(layer, mtime=0) for layer in LAYERS]
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", image.config_bytes)
    named = f"blobs/sha256/{digest_of(packed[1])[7:]}"
    out.file("1.tar.gz", packed[0]).file(named, packed[1])
    path = out.manifest(item(image, "1.tar.gz", named))
    assert not store.blobs.has(digest_of(packed[1]))
    verify(store, source, path, *LAYERS)


def test_selection_by_name(tmp_path: Path, source: ArchiveSource, image: Image) -> None:
    other = Image(LAYERS[0], compress=False)
    out = Writer(tmp_path / "a:b.tar").file("1/layer.tar", LAYERS[0]).file("2/layer.tar", LAYERS[1])
    for each in (image, other):
        out.file(f"{each.config.digest[7:]}.json", each.config_bytes)
    path = out.manifest(
        item(image, "1/layer.tar", "2/layer.tar", tags=["app:v1"]),
        item(other, "1/layer.tar", tags=["other:latest", "r.example.com/x:1"]),
    )
    assert source.resolve(f"{path}:app:v1", AMD64).config == image.config_bytes
    assert source.resolve(f"{path}:docker.io/library/other", AMD64).config == other.config_bytes
    assert source.resolve(f"{path}:r.example.com/x:1", AMD64).config == other.config_bytes
    assert source.resolve(f"{path}:@1", AMD64).config == other.config_bytes
    with pytest.raises(ImageArchiveError, match="has several images") as caught:
        source.resolve(path, AMD64)
    assert "app:v1, other:latest, r.example.com/x:1" in render(caught.value.diagnostic)
    for missing in ("app:v2", "@2", "@x"):
        with pytest.raises(ImageArchiveError, match=f"has no image {missing}"):
            source.resolve(f"{path}:{missing}", AMD64)


def test_a_name_without_a_file() -> None:
    name = parse_archive_name("/no/such.tar:app:v1")
    assert (name.path, name.ref) == ("/no/such.tar", "app:v1")


def test_a_layout_inside(tmp_path: Path, store: Store, source: ArchiveSource, image: Image) -> None:
    entry = Descriptor(
        image.manifest.media_type,
        image.manifest.digest,
        image.manifest.size,
        {CONTAINERD_NAME: "docker.io/library/app:v1", REF_NAME: "v1"},
    )
    layout = write_layout(tmp_path / "l", image.blobs, entry)
    blobs = [f"blobs/sha256/{layer.digest[7:]}" for layer in image.layers]
    listed = {"Config": f"blobs/sha256/{image.config.digest[7:]}", "RepoTags": ["app:v1", "alias:v1"]}
    (layout / "manifest.json").write_text(json.dumps([{**listed, "Layers": blobs}]))
    with tarfile.open(tmp_path / "a.tar", "w") as out:
        out.add(layout, "")
    path = str(tmp_path / "a.tar")
    assert verify(store, source, path, *LAYERS) == image.manifest.digest
    assert source.resolve(f"{path}:app:v1", AMD64).digest == image.manifest.digest
    # A name that only manifest.json knows: its own manifest, the same layers.
    assert source.resolve(f"{path}:alias:v1", AMD64).config == image.config_bytes


# Damage and malice.


def test_a_wrong_config(tmp_path: Path, source: ArchiveSource, image: Image) -> None:
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", b"{}")
    with pytest.raises(DigestMismatch, match=r"the config of .*a\.tar has the wrong digest"):
        source.resolve(out.manifest(item(image)), AMD64)


def test_a_wrong_layer(tmp_path: Path, store: Store, source: ArchiveSource, image: Image) -> None:
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", image.config_bytes)
    out.file("1", LAYERS[0]).file("2", tar(c=b"evil"))
    path = out.manifest(item(image, "1", "2"))
    found = source.resolve(path, AMD64)
    with pytest.raises(DigestMismatch):
        source.fetch(path, found.content().layers)
    assert not store.blobs.has(image.layers[1].digest)


@pytest.mark.parametrize("target", ["../../../../etc/passwd", "/etc/passwd", "2/layer.tar", "nowhere"])
def test_links_that_lead_out_or_nowhere(
    tmp_path: Path, source: ArchiveSource, image: Image, target: str
) -> None:
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", image.config_bytes)
    out.file("1/layer.tar", LAYERS[0]).link("2/layer.tar", target)
    with pytest.raises(ImageArchiveError, match=r"it lacks 2/layer\.tar"):
        source.resolve(out.manifest(item(image, "1/layer.tar", "2/layer.tar")), AMD64)


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd"])
def test_names_that_lead_out(tmp_path: Path, source: ArchiveSource, image: Image, name: str) -> None:
    out = Writer(tmp_path / "a.tar").file(f"{image.config.digest[7:]}.json", image.config_bytes)
    out.file("1", LAYERS[0])
    with pytest.raises(ImageArchiveError, match="it lacks"):
        source.resolve(out.manifest(item(image, "1", name)), AMD64)


def test_members_with_hostile_names_are_never_written(
    tmp_path: Path, store: Store, source: ArchiveSource, image: Image
) -> None:
    out = Writer(tmp_path / "a.tar").file("../escaped", b"x").file(str(tmp_path / "absolute"), b"x")
    out.file(f"{image.config.digest[7:]}.json", image.config_bytes).file("1", LAYERS[0]).file("2", LAYERS[1])
    verify(store, source, out.manifest(item(image, "1", "2")), *LAYERS)
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "store"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "its manifest.json is not JSON"),
        ("[" * 100_000, "its manifest.json is not JSON"),
        ("[]", "its manifest.json lists no images"),
        ('[{"Config": 5}]', "has no config, tags or layers"),
        ('[{"Config": "c", "Layers": [5]}]', "has no config, tags or layers"),
        ('[{"Config": "c", "Layers": []}]', "it lacks c"),
    ],
)
def test_damaged_manifests(tmp_path: Path, source: ArchiveSource, text: str, problem: str) -> None:
    out = Writer(tmp_path / "a.tar").file("manifest.json", text.encode())
    out.archive.close()
    with pytest.raises(ImageArchiveError) as caught:
        source.resolve(str(out.path), AMD64)
    assert problem in str(caught.value)


def test_an_archive_of_old(tmp_path: Path, source: ArchiveSource) -> None:
    out = Writer(tmp_path / "a.tar").file("repositories", b"{}")
    out.archive.close()
    with pytest.raises(ImageArchiveError, match=r"before 1\.10 are not supported"):
        source.resolve(str(out.path), AMD64)


@pytest.mark.parametrize("size", [1, 700, 2000, 5000])
def test_a_truncated_archive(tmp_path: Path, source: ArchiveSource, image: Image, size: int) -> None:
    path = saved(tmp_path / "a.tar", image)
    os.truncate(path, size)
    with pytest.raises(UserError):
        source.resolve(path, AMD64)


def test_a_member_that_claims_the_world_costs_nothing(
    tmp_path: Path, store: Store, source: ArchiveSource, image: Image
) -> None:
    """A sparse file of 1 TiB as the config, as manifest.json, and before the rest: sizes are checked unread."""
    import resource

    for name in ("manifest.json", f"{image.config.digest[7:]}.json"):
        path = tmp_path / "huge.tar"
        with path.open("wb") as file:
            member = tarfile.TarInfo(name)
            member.size = 1 << 40
            file.write(member.tobuf(tarfile.GNU_FORMAT))
            file.seek((1 << 40), os.SEEK_CUR)
            rest = io.BytesIO()
            with tarfile.open(fileobj=rest, mode="w") as archive:
                if name != "manifest.json":
                    data = json.dumps([item(image)]).encode()
                    listed = tarfile.TarInfo("manifest.json")
                    listed.size = len(data)
                    archive.addfile(listed, io.BytesIO(data))
            file.write(rest.getvalue())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        opened = ArchiveSource(store)
        with pytest.raises(UserError, match="is longer than"):
            opened.resolve(str(path), AMD64)
        opened.close()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_something_else(tmp_path: Path, source: ArchiveSource) -> None:
    (tmp_path / "x").write_bytes(os.urandom(2048))
    with pytest.raises(UserError):
        source.resolve(str(tmp_path / "x"), AMD64)
    with pytest.raises(UserError, match="does not exist"):
        source.resolve(str(tmp_path / "none.tar:app"), AMD64)
