"""Layers into the store: only what is missing, several at once, each once."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from tests.runtime.registry.behaving import Handler, Registry
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, digest_of, tar

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.space import NoRoom
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_FOREIGN_GZIP, OCI_LAYER, Descriptor
from pybuild.runtime.progress.observer import Observer, StatusEvent, Tracked
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig
from pybuild.runtime.registry.transfer import Transfer
from pybuild.runtime.sources.image import ImageSource
from pybuild.runtime.sources.resolve import ImageResolver


def source(store: Store, client: Client) -> ImageSource:
    return ImageSource(store, ImageResolver(store, lambda: client), lambda: client)


def layers(registry: Registry, count: int, size: int = 200_000) -> list[Descriptor]:
    data = [bytes([number]) * size for number in range(count)]
    return [Descriptor(OCI_LAYER, registry.add("app", each), size) for each in data]


def test_only_what_is_missing(behaving: Registry, client: Client, store: Store) -> None:
    one, two, three = layers(behaving, 3)
    store.blobs.put(bytes([1]) * 200_000)
    source(store, client).fetch(f"{behaving.host}/app", [one, two, three, one])
    assert sorted(r.path.rpartition("/")[2] for r in behaving.seen("GET", "blobs")) == sorted(
        [one.digest, three.digest]
    )
    leased = {row[0] for row in store.query("SELECT ref FROM lease WHERE kind = 'blob'")}
    assert leased == {one.digest, two.digest, three.digest}


def test_nothing_missing_needs_no_client(store: Store) -> None:
    def no_client() -> Client:
        raise AssertionError("the network was used")

    digest = store.blobs.put(b"layer")
    found = ImageSource(store, ImageResolver(store, no_client), no_client)
    found.fetch("app", [Descriptor(OCI_LAYER, digest, 5)])


def test_several_at_once(behaving: Registry, client: Client, store: Store) -> None:
    barrier = threading.Barrier(3)
    behaving.rules.append(lambda h: "/blobs/" in h.path and barrier.wait(10) < 0)
    source(store, client).fetch(f"{behaving.host}/app", layers(behaving, 3))


def test_the_first_failure_stops_the_others(behaving: Registry, client: Client, store: Store) -> None:
    good, bad = layers(behaving, 2)
    data = behaving.blobs["app"].pop(bad.digest)
    failed = threading.Event()

    def slow(handler: Handler) -> bool:
        if good.digest not in handler.path:
            failed.set()
            return False
        failed.wait(10)
        handler.send_response(200)
        handler.send_header("Content-Length", "200000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(bytes(1000))
            threading.Event().wait(0.02)
        handler.close_connection = True
        return True

    behaving.rules.append(slow)
    with pytest.raises(errors.NotFound, match=f"the blob {bad.digest} is missing"):
        source(store, client).fetch(f"{behaving.host}/app", [good, bad])
    behaving.rules.clear()
    behaving.blobs["app"][bad.digest] = data
    source(store, client).fetch(f"{behaving.host}/app", [bad])


def test_cancelling(behaving: Registry, client: Client, store: Store) -> None:
    flag = threading.Event()

    def slow(handler: Handler) -> bool:
        if "/blobs/" in handler.path:
            handler.send_response(200)
            handler.send_header("Content-Length", "200000")
            handler.end_headers()
            handler.wfile.write(bytes(150_000))
            handler.wfile.flush()
            flag.set()
            handler.wfile.write(bytes(50_000))
        return "/blobs/" in handler.path

    behaving.rules.append(slow)
    with pytest.raises(Cancelled):
        source(store, client).fetch(
            f"{behaving.host}/app", layers(behaving, 2), Transfer(cancelled=flag.is_set)
        )
    assert os.listdir(store.blobs.root) == []


def test_progress_in_bytes(behaving: Registry, client: Client, store: Store) -> None:
    events: list[StatusEvent] = []

    class Seen(Observer):
        def status(self, event: StatusEvent) -> None:
            events.append(event)

    [layer] = layers(behaving, 1, 3_000_000)
    with Tracked(Seen(), "pull") as tracked:
        source(store, client).fetch(f"{behaving.host}/app", [layer], Transfer(tracked))
    assert {event.id for event in events} == {layer.digest}
    currents = [event.current for event in events]
    assert currents == sorted(currents)
    assert (events[-1].current, events[-1].total) == (3_000_000, 3_000_000)
    assert events[-1].completed is not None


def test_a_damaged_part_is_fetched_anew(behaving: Registry, client: Client, store: Store) -> None:
    [layer] = layers(behaving, 1)
    name = layer.digest.removeprefix("sha256:")
    Path(store.path("ingest", name + ".part")).write_bytes(b"damaged")
    source(store, client).fetch(f"{behaving.host}/app", [layer])
    assert store.blobs.has(layer.digest)
    assert [r.headers.get("range") for r in behaving.seen("GET", "blobs")] == ["bytes=7-", None]


def test_a_wrong_digest_is_an_error(behaving: Registry, client: Client, store: Store) -> None:
    wrong = Descriptor(OCI_LAYER, "sha256:" + "5" * 64, 9)
    behaving.blobs["app"] = {wrong.digest: b"something"}
    with pytest.raises(DigestMismatch):
        source(store, client).fetch(f"{behaving.host}/app", [wrong])
    assert not store.blobs.has(wrong.digest)


def test_a_full_disk_is_told(
    behaving: Registry, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from pybuild.runtime.content.blobs import BlobWriter

    def full(self: BlobWriter, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(BlobWriter, "write", full)
    with pytest.raises(NoRoom, match="no space left on device"):
        source(store, client).fetch(f"{behaving.host}/app", layers(behaving, 1))


def _fetch_in_process(root: str, host: str, digest: str, size: int) -> None:
    with Store.open(root) as store, Client(Hosts()) as client:
        source(store, client).fetch(f"{host}/app", [Descriptor(OCI_LAYER, digest, size)])


def test_two_processes_fetch_once(behaving: Registry, store: Store) -> None:
    [layer] = layers(behaving, 1)
    behaving.rules.append(lambda h: "/blobs/" in h.path and threading.Event().wait(0.5))
    context = multiprocessing.get_context("spawn")
    arguments = (store.root, behaving.host, layer.digest, layer.size)
    processes = [context.Process(target=_fetch_in_process, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(behaving.seen("GET", "blobs")) == 1


# Mirrors and foreign layers.


def test_a_blob_the_mirror_lacks_comes_from_the_registry(
    behaving: Registry, second: Registry, make_client: MakeClient, store: Store
) -> None:
    [layer] = layers(behaving, 1)
    client = make_client(RegistryConfig(behaving.host, mirrors=[second.host]))
    source(store, client).fetch(f"{behaving.host}/app", [layer])
    assert len(second.seen("GET", "blobs")) == len(behaving.seen("GET", "blobs")) == 1


def foreign(data: bytes, *urls: str) -> Descriptor:
    return Descriptor(OCI_FOREIGN_GZIP, digest_of(data), len(data), urls=urls)


def test_a_foreign_layer_comes_from_its_address(
    behaving: Registry, second: Registry, client: Client, store: Store
) -> None:
    second.rules.append(lambda h: h.path == "/layer" and h.reply(200, b"foreign"))
    layer = foreign(b"foreign", "ftp://x/layer", f"http://{second.host}/layer")
    source(store, client).fetch(f"{behaving.host}/app", [layer])
    assert store.blobs.read(layer.digest) == b"foreign"


def test_a_foreign_layer_without_an_address(behaving: Registry, client: Client, store: Store) -> None:
    with pytest.raises(errors.BadContent, match="registries may not distribute"):
        source(store, client).fetch(f"{behaving.host}/app", [foreign(b"foreign")])


def test_content_without_layers(behaving: Registry, client: Client, store: Store) -> None:
    from pybuild.compiler.ops import Platform

    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "latest")
    found = source(store, client).content(f"{behaving.host}/app", Platform(os="linux", architecture="amd64"))
    assert found.manifest == image.manifest.digest
    assert not store.blobs.has(image.layers[0].digest)
