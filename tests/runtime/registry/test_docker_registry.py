"""Against a real registry and skopeo, which judge what is pushed and make what is pulled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.runtime.registry.images import Image, index_of, tar, write_layout

from pybuild.compiler.ops import Platform
from pybuild.compiler.reference import parse
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import DOCKER_MANIFEST
from pybuild.runtime.registry import errors, upload
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.push import push
from pybuild.runtime.sources.archive import ArchiveSource
from pybuild.runtime.sources.image import ImageSource
from pybuild.runtime.sources.layout import LayoutSource
from pybuild.runtime.sources.resolve import ImageResolver

pytestmark = pytest.mark.registry

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")


@pytest.fixture
def image() -> Image:
    return Image(tar(a=os.urandom(500_000)), tar(b=os.urandom(1000)))


def skopeo(*arguments: str) -> bytes:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *arguments], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def keep(store: Store, *images: Image) -> None:
    for image in images:
        for data in image.blobs.values():
            store.blobs.put(data)


def pulled(store: Store, client: Client, name: str, platform: Platform = AMD64) -> None:
    resolver = ImageResolver(store, lambda: client)
    content = resolver.resolve(name, platform).content()
    ImageSource(store, resolver, lambda: client).fetch(name, content.layers)
    for layer in content.layers:
        assert len(store.blobs.read(layer.digest)) == layer.size


def test_a_pushed_image_is_copied_by_skopeo(
    docker_registry: str, client: Client, store: Store, tmp_path: Path, image: Image
) -> None:
    keep(store, image)
    digest = push(client, store, image.manifest, parse(f"{docker_registry}/pushed/app:v1"))
    assert push(client, store, image.manifest, parse(f"{docker_registry}/pushed/app:v1")) == digest
    copy = tmp_path / "copy"
    skopeo("copy", "--src-tls-verify=false", f"docker://{docker_registry}/pushed/app:v1", f"oci:{copy}:v1")
    source = LayoutSource(store)
    assert source.resolve(f"{copy}:v1", AMD64).digest == digest == image.manifest.digest
    source.close()


def test_an_index(docker_registry: str, client: Client, store: Store, image: Image) -> None:
    arm = Image(tar(a=b"arm"), architecture="arm64")
    keep(store, image, arm)
    root, data = index_of(image.entry, arm.entry)
    store.blobs.put(data)
    name = f"{docker_registry}/index/app:v1"
    push(client, store, root, parse(name))
    assert skopeo("inspect", "--tls-verify=false", "--raw", f"docker://{name}") == data
    found = ImageResolver(store, lambda: client, pull=True).resolve(name, ARM64)
    assert (found.digest, found.manifest.digest) == (root.digest, arm.manifest.digest)


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_an_image_of_skopeo_is_pulled(
    docker_registry: str, client: Client, store: Store, tmp_path: Path, image: Image, form: str
) -> None:
    layout = write_layout(tmp_path / "l", image.blobs, image.manifest)
    name = f"{docker_registry}/skopeo/{form}:v1"
    skopeo("copy", "--dest-tls-verify=false", f"--format={form}", f"oci:{layout}", f"docker://{name}")
    pulled(store, client, name)
    [(kind,)] = store.query("SELECT media_type FROM resolved WHERE ref = ?", name)
    assert (kind == DOCKER_MANIFEST) is (form == "v2s2")
    assert json.loads(ImageResolver(store, lambda: client).resolve(name, AMD64).config)["rootfs"]


def test_a_part_left_behind_is_taken_up(
    docker_registry: str, client: Client, store: Store, tmp_path: Path, image: Image
) -> None:
    keep(store, image)
    name = f"{docker_registry}/resumed/app:v1"
    push(client, store, image.manifest, parse(name))
    layer = image.layers[0]
    os.unlink(store.blobs.path(layer.digest))
    Path(store.path("ingest", layer.digest[7:] + ".part")).write_bytes(image.blobs[layer.digest][:300_000])
    offsets: list[int] = []
    with store.blobs.writer(resume=layer.digest) as writer:
        offsets.append(writer.offset)
        client.repository(docker_registry, "resumed/app").fetch(layer, writer, offsets.append)
        writer.commit(layer.digest)
    assert offsets[0] == 300_000
    assert offsets == sorted(offsets)


def test_a_mount(docker_registry: str, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    push(client, store, image.manifest, parse(f"{docker_registry}/mounts/base:v1"))
    other = client.repository(docker_registry, "mounts/app")
    assert upload.mount(other, image.layers[0].digest, "mounts/base")
    assert other.has_blob(image.layers[0].digest)
    assert not upload.mount(other, "sha256:" + "1" * 64, "mounts/base")
    os.unlink(store.blobs.path(image.layers[1].digest))
    push(client, store, image.manifest, parse(f"{docker_registry}/mounts/app:v1"))
    assert other.has_blob(image.layers[1].digest)


def test_chunks(docker_registry: str, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    layer = image.layers[0]
    sent = upload._Upload(
        client.repository(docker_registry, "chunks/app"), layer.digest, store.blobs.path(layer.digest), None
    )
    sent.chunked, sent.chunk_size = True, 100_000
    assert not sent.run("")
    with store.blobs.writer() as writer:
        client.repository(docker_registry, "chunks/app").fetch(layer, writer)
        assert writer.commit() == (layer.digest, layer.size)


def test_its_refusals(docker_registry: str, client: Client) -> None:
    with pytest.raises(errors.NotFound, match="was not found on"):
        client.repository(docker_registry, "none/app").resolve("v1")
    with pytest.raises(errors.ServerFailure, match="did not take the manifest none/app:v1"):
        client.repository(docker_registry, "none/app").put_manifest("v1", "application/json", b"{}")


def test_archives_of_skopeo(store: Store, tmp_path: Path, image: Image) -> None:
    layout = write_layout(tmp_path / "l", image.blobs, image.manifest)
    skopeo("copy", f"oci:{layout}", f"docker-archive:{tmp_path}/d.tar:example.com/app:v1")
    skopeo("copy", f"oci:{layout}", f"oci-archive:{tmp_path}/o.tar:v1")
    archives, layouts = ArchiveSource(store), LayoutSource(store)
    found = archives.resolve(f"{tmp_path}/d.tar:example.com/app:v1", AMD64)
    archives.fetch(f"{tmp_path}/d.tar", found.content().layers)
    assert [layer.digest for layer in found.content().layers] == image.diff_ids
    assert layouts.resolve(f"{tmp_path}/o.tar:v1", AMD64).digest == image.manifest.digest
    archives.close()
    layouts.close()


def test_a_large_transfer_in_parallel(docker_registry: str, client: Client, store: Store) -> None:
    image = Image(*(tar(a=os.urandom(2_000_000)) for _ in range(8)), compress=False)
    keep(store, image)
    name = f"{docker_registry}/large/app:v1"
    push(client, store, image.manifest, parse(name))
    for layer in image.layers:
        os.unlink(store.blobs.path(layer.digest))
    pulled(store, client, name)
