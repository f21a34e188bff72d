"""Pushes: what is sent, what is skipped, what is mounted, and in which order."""

from __future__ import annotations

import threading

import pytest
from tests.runtime.registry.behaving import Handler, Registry
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, index_of, tar
from tests.runtime.registry.test_auth import SECRET, docker_config

from pybuild.compiler.reference import parse
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.blobs import DamagedBlob
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_FOREIGN_GZIP, Descriptor
from pybuild.runtime.registry import errors, upload
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.push import IncompleteImage, push
from pybuild.runtime.registry.transfer import Transfer


@pytest.fixture
def image() -> Image:
    return Image(tar(a=b"1" * 300_000), tar(b=b"2"), compress=False)


def keep(store: Store, *images: Image) -> None:
    for image in images:
        for data in image.blobs.values():
            store.blobs.put(data)


def send(client: Client, store: Store, image: Image, name: str, **settings: object) -> str:
    return push(client, store, image.manifest, parse(name), **settings)  # type: ignore[arg-type]


def complete(registry: Registry, repository: str, tag: str, image: Image) -> None:
    """The verifier: everything is there, under the digest of its bytes."""
    assert registry.manifests[repository][tag][1] == image.blobs[image.manifest.digest]
    for piece in (image.config, *image.layers):
        assert registry.blobs[repository][piece.digest] == image.blobs[piece.digest]


def test_a_push_and_its_order(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    assert send(client, store, image, f"{behaving.host}/app:v1") == image.manifest.digest
    complete(behaving, "app", "v1", image)
    assert behaving.requests[-1].path == "/v2/app/manifests/v1"
    assert len(behaving.seen("PUT", "uploads")) == 3
    sources = set(store.query("SELECT digest, source FROM blob_source"))
    assert sources == {(p.digest, f"{behaving.host}/app") for p in (image.config, *image.layers)}


def test_a_second_push_sends_nothing(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    send(client, store, image, f"{behaving.host}/app:v1")
    behaving.requests.clear()
    send(client, store, image, f"{behaving.host}/app:v1")
    assert [r.method for r in behaving.requests] == ["HEAD"]
    behaving.requests.clear()
    send(client, store, image, f"{behaving.host}/app:v2")
    assert not behaving.seen("POST")
    complete(behaving, "app", "v2", image)


def test_an_index_after_its_manifests(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    arm = Image(tar(a=b"arm"), architecture="arm64")
    keep(store, image, arm)
    root, data = index_of(image.entry, arm.entry)
    store.blobs.put(data)
    assert push(client, store, root, parse(f"{behaving.host}/app:v1")) == root.digest
    complete(behaving, "app", arm.manifest.digest, arm)
    assert behaving.manifests["app"]["v1"][1] == data


def test_by_digest(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    send(client, store, image, f"{behaving.host}/app", by_digest=True)
    assert list(behaving.manifests["app"]) == [image.manifest.digest]


def test_blobs_are_mounted(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    send(client, store, image, f"{behaving.host}/team/base:v1")
    behaving.requests.clear()
    send(client, store, image, f"{behaving.host}/team/app:v1")
    assert not behaving.seen("PUT", "uploads")
    assert {r.query["from"][0] for r in behaving.seen("POST")} == {"team/base"}
    complete(behaving, "team/app", "v1", image)


def test_the_nearest_repository_is_mounted_from(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    keep(store, image)
    with store.transaction() as db:
        for source in ("zzz/x", "team/base", "aaa"):
            db.execute(
                "INSERT INTO blob_source VALUES (?, ?)",
                (image.layers[0].digest, f"{behaving.host}/{source}"),
            )
    send(client, store, image, f"{behaving.host}/team/app:v1")
    assert [r.query["from"] for r in behaving.seen("POST") if "from" in r.query] == [["team/base"]]


def test_a_registry_without_mounts_is_sent_the_blobs(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    keep(store, image)
    send(client, store, image, f"{behaving.host}/base:v1")
    behaving.mounts = False
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)


def test_a_mount_that_is_not_allowed_becomes_an_upload(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    keep(store, image)
    send(client, store, image, f"{behaving.host}/base:v1")
    behaving.rules.append(lambda h: "mount=" in h.path and h.error(403, "DENIED"))
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)


def test_a_layer_the_store_lacks_is_mounted_unseen(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    import os

    keep(store, image)
    send(client, store, image, f"{behaving.host}/base:v1")
    os.unlink(store.blobs.path(image.layers[0].digest))
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
    assert not store.blobs.has(image.layers[0].digest)


def test_a_layer_the_store_lacks_is_copied_between_registries(
    behaving: Registry, second: Registry, client: Client, store: Store, image: Image
) -> None:
    import os

    keep(store, image)
    send(client, store, image, f"{behaving.host}/base:v1")
    os.unlink(store.blobs.path(image.layers[0].digest))
    send(client, store, image, f"{second.host}/app:v1")
    complete(second, "app", "v1", image)


def test_a_layer_nobody_has(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    import os

    keep(store, image)
    os.unlink(store.blobs.path(image.layers[0].digest))
    with pytest.raises(IncompleteImage, match=image.layers[0].digest):
        send(client, store, image, f"{behaving.host}/app:v1")
    assert "v1" not in behaving.manifests.get("app", {})


def test_foreign_layers_stay_where_they_are(behaving: Registry, client: Client, store: Store) -> None:
    base = Image(tar(a=b"1"))
    foreign = Descriptor(OCI_FOREIGN_GZIP, "sha256:" + "7" * 64, 9, urls=["https://x/y"])
    image = Image(tar(a=b"1"), layers=[base.layers[0].to_json(), foreign.to_json()])
    keep(store, image)
    send(client, store, image, f"{behaving.host}/app:v1")
    assert foreign.digest not in behaving.blobs["app"]


# Failures.


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_passing_failures(
    behaving: Registry, client: Client, store: Store, image: Image, method: str
) -> None:
    keep(store, image)
    behaving.once(method, "uploads", lambda h: h.error(503, "UNAVAILABLE"), times=2)
    behaving.once(method, "uploads", Handler.reset, times=1)
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)


def test_an_interrupted_push_is_run_again(
    behaving: Registry, client: Client, store: Store, image: Image
) -> None:
    keep(store, image)
    left = [2]

    def dying(handler: Handler) -> bool:
        if handler.command == "PUT" and "uploads" in handler.path:
            left[0] -= 1
        return left[0] < 0 and handler.error(507, "UNKNOWN", "disk full")

    behaving.rules.append(dying)
    with pytest.raises(errors.RegistryError):
        send(client, store, image, f"{behaving.host}/app:v1")
    assert not behaving.manifests.get("app")
    behaving.rules.clear()
    behaving.requests.clear()
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
    assert 0 < len(behaving.seen("PUT", "uploads")) < 3


def test_chunks_where_the_whole_is_too_large(
    behaving: Registry, client: Client, store: Store, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK_SIZE", 100_000)
    keep(store, image)
    behaving.rules.append(
        lambda h: (
            h.command in ("PUT", "PATCH") and int(h.headers["Content-Length"]) > 100_000 and h.reply(413)
        )
    )
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
    assert len(behaving.seen("PATCH")) == 4  # 307,200 bytes


def test_a_broken_chunk_is_taken_up(
    behaving: Registry, client: Client, store: Store, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK_SIZE", 100_000)
    keep(store, image)
    behaving.rules.append(
        lambda h: h.command == "PUT" and int(h.headers["Content-Length"]) > 100_000 and h.reply(413)
    )
    seen: list[str] = []

    def lost(handler: Handler) -> bool:
        """The second chunk arrives, its answer does not."""
        if handler.command != "PATCH":
            return False
        seen.append(handler.headers["Content-Range"])
        if len(seen) != 2:
            return False
        name = handler.path.rpartition("/")[2].partition("?")[0]
        behaving.uploads[name] += handler.body()
        handler.reset()
        return True

    behaving.rules.append(lost)
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
    assert seen == ["0-99999", "100000-199999", "200000-299999", "300000-307199"]


def test_an_upload_that_is_refused(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    behaving.rules.append(
        lambda h: h.command == "PUT" and "uploads" in h.path and h.error(400, "SIZE_INVALID", "too big")
    )
    with pytest.raises(errors.ServerFailure, match="did not take sha256:"):
        send(client, store, image, f"{behaving.host}/app:v1")


def test_a_push_that_is_denied(
    behaving: Registry, make_client: MakeClient, store: Store, image: Image
) -> None:
    behaving.auth, behaving.public = "token", {"app"}
    keep(store, image)
    with pytest.raises(errors.AccessDenied, match="wants a login to push app"):
        send(make_client(), store, image, f"{behaving.host}/app:v1")


def test_a_push_with_tokens_and_a_mount(
    behaving: Registry, make_client: MakeClient, store: Store, image: Image
) -> None:
    behaving.auth, behaving.user = "token", ("ann", SECRET)
    keep(store, image)
    client = make_client(auth=docker_config(behaving.host))
    send(client, store, image, f"{behaving.host}/base:v1")
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
    scopes = [r.query["scope"] for r in behaving.seen("GET", "/token")]
    assert ["repository:app:pull,push", "repository:base:pull"] in scopes


def test_cancelling(behaving: Registry, client: Client, store: Store, image: Image) -> None:
    keep(store, image)
    flag = threading.Event()

    def tell(handler: Handler) -> bool:
        if handler.command == "POST":
            flag.set()
        return False

    behaving.rules.append(tell)
    with pytest.raises(Cancelled):
        send(client, store, image, f"{behaving.host}/app:v1", transfer=Transfer(cancelled=flag.is_set))
    assert not behaving.manifests.get("app")


def test_a_damaged_file_of_the_store_is_not_blamed_on_the_registry(
    behaving: Registry, second: Registry, client: Client, store: Store, image: Image
) -> None:
    from pathlib import Path

    keep(store, image)
    path = Path(store.blobs.path(image.layers[0].digest))
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(DamagedBlob, match="the store's file"):
        send(client, store, image, f"{behaving.host}/app:v1")
    assert not path.exists()
    keep(store, image)
    send(client, store, image, f"{second.host}/base:v1")
    path.write_bytes(b"x" + path.read_bytes()[1:])
    send(client, store, image, f"{behaving.host}/app:v1")
    complete(behaving, "app", "v1", image)
