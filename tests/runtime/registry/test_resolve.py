"""Names of images to manifests: what is remembered, what is asked, and of whom."""

from __future__ import annotations

import json
import threading

import pytest
from tests.runtime.registry.behaving import Registry
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, index_of, tar

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import render
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_EMPTY, Descriptor
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.hosts import RegistryConfig
from pybuild.runtime.sources.choice import NoSuchPlatform
from pybuild.runtime.sources.resolve import ImageResolver

AMD64 = Platform(os="linux", architecture="amd64")
ARM64 = Platform(os="linux", architecture="arm64")


def no_client() -> Client:
    raise AssertionError("the network was used")


def resolver(store: Store, client: Client, *, pull: bool = False) -> ImageResolver:
    return ImageResolver(store, lambda: client, pull=pull)


@pytest.fixture
def image() -> Image:
    return Image(tar(a=b"1"), tar(b=b"2"))


def serve_index(
    registry: Registry, repository: str, tag: str, *images: Image, extra: Descriptor | None = None
) -> str:
    for image in images:
        image.serve(registry, repository)
    descriptor, data = index_of(*(image.entry for image in images), *([extra] if extra else []))
    return registry.tag(repository, tag, descriptor.media_type, data)


def test_a_tag(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    image.serve(behaving, "app", "v1")
    found = resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    assert found.ref == f"{behaving.host}/app:v1@{image.manifest.digest}"
    assert found.digest == found.manifest.digest == image.manifest.digest
    assert found.config == image.config_bytes
    content = found.content()
    assert [layer.digest for layer in content.layers] == [layer.digest for layer in image.layers]
    assert [layer.diff_id for layer in content.layers] == image.diff_ids
    assert not [r for r in behaving.requests if image.layers[0].digest in r.path]


def test_a_known_tag_needs_no_network(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    image.serve(behaving, "app", "v1")
    first = resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    again = ImageResolver(store, no_client).resolve(f"{behaving.host}/app:v1", AMD64)
    assert (again.ref, again.config) == (first.ref, first.config)
    pinned = ImageResolver(store, no_client, pull=True).resolve(first.ref, AMD64)
    assert pinned.digest == first.digest


def test_pull_asks_again(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    image.serve(behaving, "app", "v1")
    resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    other = Image(tar(c=b"3"))
    other.serve(behaving, "app", "v1")
    name = f"{behaving.host}/app:v1"
    assert resolver(store, client).resolve(name, AMD64).digest == image.manifest.digest
    assert resolver(store, client, pull=True).resolve(name, AMD64).digest == other.manifest.digest
    assert ImageResolver(store, no_client).resolve(name, AMD64).digest == other.manifest.digest


def test_a_known_tag_whose_config_is_gone_is_asked_for(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    import os

    image.serve(behaving, "app", "v1")
    resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    os.unlink(store.blobs.path(image.config.digest))
    assert resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64).config == image.config_bytes


def test_an_image_named_locally_counts(store: Store, image: Image) -> None:
    for data in image.blobs.values():
        store.blobs.put(data)
    row = (
        "docker.io/library/mine:latest",
        image.manifest.digest,
        image.manifest.size,
        image.manifest.media_type,
    )
    with store.transaction() as db:
        db.execute("INSERT INTO image VALUES (?, ?, ?, ?, 0)", row)
    found = ImageResolver(store, no_client).resolve("mine", AMD64)
    assert found.ref == f"docker.io/library/mine:latest@{image.manifest.digest}"


def test_one_build_sees_one_image(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    arm = Image(tar(a=b"arm"), architecture="arm64")
    root = serve_index(behaving, "app", "v1", image, arm)
    one = resolver(store, client)
    assert one.resolve(f"{behaving.host}/app:v1", AMD64).manifest.digest == image.manifest.digest
    Image(tar(c=b"3")).serve(behaving, "app", "v1")
    found = one.resolve(f"{behaving.host}/app:v1", ARM64)
    assert (found.digest, found.manifest.digest) == (root, arm.manifest.digest)


def test_threads_ask_once(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    image.serve(behaving, "app", "v1")
    one, found = resolver(store, client), []
    threads = [
        threading.Thread(target=lambda: found.append(one.resolve(f"{behaving.host}/app:v1", AMD64)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(behaving.seen("HEAD", "manifests")) == 1


# Platforms.


def test_no_platform_fits(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    attestation = Descriptor(
        image.manifest.media_type,
        "sha256:" + "9" * 64,
        image.manifest.size,
        {"vnd.docker.reference.type": "attestation-manifest"},
    )
    serve_index(behaving, "app", "v1", image, Image(tar(a=b"arm"), architecture="arm64"), extra=attestation)
    with pytest.raises(NoSuchPlatform) as caught:
        resolver(store, client).resolve(f"{behaving.host}/app:v1", Platform(os="linux", architecture="s390x"))
    assert caught.value.offered == ["linux/amd64", "linux/arm64"]
    assert "is not available for linux/s390x" in render(caught.value.diagnostic)


def test_a_nested_index(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    arm = Image(tar(a=b"arm"), architecture="arm64")
    inner, data = index_of(arm.entry)
    arm.serve(behaving, "app")
    behaving.tag("app", "inner", inner.media_type, data)
    serve_index(behaving, "app", "v1", image, extra=inner)
    found = resolver(store, client).resolve(f"{behaving.host}/app:v1", ARM64)
    assert found.manifest.digest == arm.manifest.digest


def test_an_entry_without_a_platform_is_known_by_its_config(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    arm = Image(tar(a=b"arm"), architecture="arm64")
    arm.platform = None  # type: ignore[assignment]
    serve_index(behaving, "app", "v1", image, arm)
    found = resolver(store, client).resolve(f"{behaving.host}/app:v1", ARM64)
    assert found.manifest.digest == arm.manifest.digest


def test_an_artifact_is_no_image(behaving: Registry, client: Client, store: Store) -> None:
    empty = Image()
    config = Descriptor(OCI_EMPTY, behaving.add("chart", b"{}"), 2)
    manifest = json.dumps({"schemaVersion": 2, "config": config.to_json(), "layers": []}).encode()
    behaving.tag("chart", "v1", empty.manifest.media_type, manifest)
    with pytest.raises(errors.BadContent, match="is an artifact, not an image"):
        resolver(store, client).resolve(f"{behaving.host}/chart:v1", AMD64)


def test_a_layer_of_an_unknown_type(behaving: Registry, client: Client, store: Store) -> None:
    layer = Descriptor("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "sha256:" + "1" * 64, 5)
    image = Image(tar(a=b"1"), layers=[layer.to_json()])
    image.serve(behaving, "app", "v1")
    found = resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    with pytest.raises(errors.BadContent, match="has an encrypted layer"):
        found.content()


def test_a_config_that_contradicts_its_manifest(behaving: Registry, client: Client, store: Store) -> None:
    image = Image(tar(a=b"1"), layers=[])
    image.serve(behaving, "app", "v1")
    with pytest.raises(errors.BadContent, match="has 0 layers, but its config lists 1"):
        resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64).content()


# Mirrors.


def mirrored(make_client: MakeClient, *mirrors: str, origin: str) -> Client:
    return make_client(RegistryConfig(origin, mirrors=mirrors))


def test_a_mirror_is_asked_first(
    behaving: Registry, second: Registry, make_client: MakeClient, store: Store, image: Image
) -> None:
    image.serve(second, "proxy/app", "v1")
    client = mirrored(make_client, f"{second.host}/proxy", origin=behaving.host)
    found = resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    assert found.ref == f"{behaving.host}/app:v1@{image.manifest.digest}"
    assert behaving.requests == []
    assert second.seen("HEAD", "manifests")[0].query == {"ns": [behaving.host]}


def test_a_mirror_that_fails_is_passed_over(
    behaving: Registry, second: Registry, make_client: MakeClient, store: Store, image: Image
) -> None:
    image.serve(behaving, "app", "v1")
    second.auth = "basic"
    client = mirrored(make_client, "127.0.0.1:1", second.host, origin=behaving.host)
    assert resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64).digest == image.manifest.digest


def test_when_all_fail_each_is_told(behaving: Registry, make_client: MakeClient, store: Store) -> None:
    client = mirrored(make_client, "127.0.0.1:1", origin=behaving.host)
    with pytest.raises(errors.NotFound) as caught:
        resolver(store, client).resolve(f"{behaving.host}/app:v1", AMD64)
    assert "mirror: 127.0.0.1:1: cannot connect to 127.0.0.1:1: connection refused" in render(
        caught.value.diagnostic
    )
