"""What is sent to clients: streams, files, blobs."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.daemon.client.contents import Blobs, Stores
from tests.daemon.client.files import Results
from tests.daemon.client.serving import Context, Offer
from tests.daemon.sessions.conftest import OpenSession
from tests.daemon.sessions.trees import One, Tree, read, write

from pybuild.compiler.protos import content_pb2, filesync_pb2
from pybuild.compiler.protos.fspackets_pb2 import Stat
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import Descriptor
from pybuild.runtime.registry.transfer import Transfer, fetch_blob
from pybuild.runtime.session.calls import CallFailed, SessionLost
from pybuild.runtime.session.contentstore import EXPORT, BadStore, ContentSink, SessionContent
from pybuild.runtime.session.filesend import FileSink, NotOffered, send_file, send_tree
from pybuild.runtime.session.sentfiles import SentEntry, directory_entry, file_entry, tree_entries
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

pytestmark = pytest.mark.root

FILE_SEND = filesync_pb2.DESCRIPTOR.services_by_name["FileSend"]
CONTENT = content_pb2.DESCRIPTOR.services_by_name["Content"]


def receiving(behaviour: object) -> Offer:
    """A client with a place for results, and what it does with them."""
    return Offer(FILE_SEND, {"DiffCopy": behaviour})  # type: ignore[dict-item]


# Streams


def test_a_stream(open_session: OpenSession) -> None:
    results = Results()
    big = bytes(range(256)) * 20_000
    with send_file(open_session(results.offer()), "3", {"image.name": "a/b", "other": "é"}) as sink:
        sink.write(b"first ")
        sink.write(memoryview(big))
    assert results.only.id == "3"
    assert results.only.data == b"first " + big
    assert (results.only.told("image.name"), results.only.told("other")) == ("a/b", "")


def test_an_empty_stream(open_session: OpenSession) -> None:
    results = Results()
    with send_file(open_session(results.offer()), "0"):
        pass
    assert results.only.data == b""


def test_a_stream_that_fails_here_is_broken_off(open_session: OpenSession) -> None:
    begun, broken_off, over = threading.Event(), threading.Event(), threading.Event()

    def take(messages: Iterator[object], context: Context) -> Iterator[filesync_pb2.BytesMessage]:
        context.add_callback(broken_off.set)
        begun.set()
        over.wait(10)
        yield from ()

    def fail() -> None:
        with send_file(open_session(receiving(take)), "0") as sink:
            sink.write(b"part")
            begun.wait(5)
            raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        fail()
    assert broken_off.wait(5)
    over.set()


def pour(sink: FileSink) -> None:
    """Write until it fails."""
    with sink:
        while True:
            sink.write(b"x" * (1 << 20))


def test_a_client_that_refuses_a_stream(open_session: OpenSession) -> None:
    def refuse(messages: object, context: Context) -> Iterator[object]:
        context.abort(grpc.StatusCode.ALREADY_EXISTS, "target already exists")
        yield from ()

    sink = send_file(open_session(receiving(refuse)), "0")
    with pytest.raises(CallFailed, match="target already exists") as failed:
        pour(sink)
    assert failed.value.code == 6


def test_a_client_that_takes_nothing_is_waited_for_until_the_build_ends(open_session: OpenSession) -> None:
    over = threading.Event()

    def hang(messages: object, context: Context) -> Iterator[object]:
        over.wait(10)
        yield from ()

    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    sink = send_file(open_session(receiving(hang)), "0", {}, cancellation)
    with pytest.raises(Cancelled):
        pour(sink)
    over.set()


def test_no_place_for_results(open_session: OpenSession) -> None:
    session = open_session()
    with pytest.raises(NotOffered, match=r"FileSend/diffcopy not supported by the client"):
        send_file(session, "0")
    with pytest.raises(NotOffered, match=r"FileSend/diffcopy not supported by the client"):
        send_tree(session, "0", [])


# Trees


def test_a_tree(open_session: OpenSession, tmp_path: Path) -> None:
    source: Tree = {
        b"a": One("file", b"one" * 200_000, 0o4755, 7_000_000_000),
        b"b": One("name", b"a"),
        b"d": One("directory", mode=0o1777, time=5),
        b"d/pipe": One("pipe"),
        b"d/link": One("link", b"../a", time=9),
        b"empty": One("file", owner=(12, 34)),
    }
    write(tmp_path / "source", source)
    tree = LocalTree(os.fsencode(tmp_path / "source"), StatCache(str(tmp_path / "stat"), b"/"))
    results = Results("1")
    sent: list[int] = []
    entries = [directory_entry(b"x", 3), *tree_entries(tree, b"x"), file_entry(b"z", b"made\n", 4)]
    send_tree(open_session(results.offer()), "1", entries, Cancellation(), sent.append)
    told = results.only.files
    assert list(told.stats) == ["x", "x/a", "x/b", "x/d", "x/d/link", "x/d/pipe", "x/empty", "z"]
    assert told.data == {"x/a": source[b"a"].content, "x/empty": b"", "z": b"made\n"}
    assert told.stats["x/b"].linkname == "x/a"
    assert (told.stats["x/empty"].uid, told.stats["x/empty"].gid) == (12, 34)
    assert (told.stats["x"].modTime, told.stats["z"].modTime) == (3, 4)
    assert sent == sorted(sent)
    assert sent[-1] > 600_000
    del told.stats["x/d/pipe"]
    told.write(tmp_path / "target")
    written = read(tmp_path / "target" / "x")
    assert [one.kind for one in written.values()] == ["file", "name", "directory", "link", "file"]
    assert (written[b"a"].mode, written[b"a"].time, written[b"d"].time) == (0o4755, 7_000_000_000, 5)


def test_one_time_for_all(open_session: OpenSession, tmp_path: Path) -> None:
    write(tmp_path / "source", {b"a": One("file", time=5), b"d": One("directory", time=6)})
    tree = LocalTree(os.fsencode(tmp_path / "source"), StatCache(str(tmp_path / "stat"), b"/"))
    results = Results("0")
    send_tree(open_session(results.offer()), "0", tree_entries(tree, mtime=42))
    assert {said.modTime for said in results.only.files.stats.values()} == {42}


def test_a_file_that_can_not_be_read(open_session: OpenSession) -> None:
    def vanished() -> io.BytesIO:
        raise FileNotFoundError(2, "it is gone")

    results = Results("0")
    with pytest.raises(FileNotFoundError):
        send_tree(open_session(results.offer()), "0", [SentEntry(Stat(path=b"a", size=3), vanished)])
    assert "it is gone" in results.only.files.error


def test_a_client_that_refuses_files(open_session: OpenSession) -> None:
    def refuse(messages: object, context: Context) -> Iterator[object]:
        context.abort(grpc.StatusCode.UNKNOWN, "no space left on device")
        yield from ()

    with pytest.raises(CallFailed, match="no space left on device"):
        send_tree(open_session(receiving(refuse)), "0", [file_entry(b"a", b"x", 0)])


def test_a_client_that_ends_early(open_session: OpenSession) -> None:
    with pytest.raises(SessionLost, match="before it had the whole result"):
        send_tree(
            open_session(receiving(lambda messages, context: iter(()))), "0", [file_entry(b"a", b"x", 0)]
        )


# Content stores


def blob(tmp_path: Path, data: bytes) -> tuple[Descriptor, str]:
    (tmp_path / "blob").write_bytes(data)
    return Descriptor("", "sha256:" + hashlib.sha256(data).hexdigest(), len(data)), str(tmp_path / "blob")


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (2 << 20) + 1])
def test_blobs_go_and_come(open_session: OpenSession, store: Store, tmp_path: Path, size: int) -> None:
    stores = Stores({EXPORT: Blobs()})
    session = open_session(stores.offer())
    descriptor, path = blob(tmp_path, b"x" * size)
    sink = ContentSink(session, EXPORT)
    assert not sink.has(descriptor.digest)
    sink.put(descriptor, path, {"containerd.io/gc": "1"})
    sink.put(descriptor, path)
    assert sink.has(descriptor.digest)
    content = SessionContent(session, EXPORT)
    assert content.describe(descriptor.digest).size == size
    fetch_blob(store, content, descriptor, Transfer())
    assert store.blobs.read(descriptor.digest) == b"x" * size


def test_a_fetch_is_taken_up(open_session: OpenSession, store: Store, tmp_path: Path) -> None:
    blobs = Blobs()
    stores = Stores({EXPORT: blobs})
    descriptor, _ = blob(tmp_path, b"abcdef")
    blobs.add(b"abcdef")
    with store.blobs.writer(resume=descriptor.digest) as writer:
        writer.write(b"abc")
    fetch_blob(store, SessionContent(open_session(stores.offer()), EXPORT), descriptor, Transfer())
    assert store.blobs.read(descriptor.digest) == b"abcdef"


def test_what_a_store_does_not_have(open_session: OpenSession, store: Store, tmp_path: Path) -> None:
    descriptor, _ = blob(tmp_path, b"abc")
    session = open_session(Stores({EXPORT: Blobs()}).offer())
    with pytest.raises(CallFailed, match="not found"):
        SessionContent(session, EXPORT).describe(descriptor.digest)
    with pytest.raises(CallFailed, match="not found"):
        fetch_blob(store, SessionContent(session, EXPORT), descriptor, Transfer())
    with pytest.raises(CallFailed, match="no store 'other'"):
        SessionContent(session, "other").describe(descriptor.digest)


def content(**behaviours: object) -> Offer:
    return Offer(CONTENT, behaviours)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [b"abcde", b"ab", b""])
def test_a_store_that_gives_more_or_less(
    open_session: OpenSession, store: Store, tmp_path: Path, given: bytes
) -> None:
    descriptor, _ = blob(tmp_path, b"abc")
    answers = [content_pb2.ReadContentResponse(data=given)]
    session = open_session(content(Read=lambda request, context: iter(answers)))
    with pytest.raises(BadStore, match=r"does not give sha256:\w+ as it is described"):
        fetch_blob(store, SessionContent(session, EXPORT), descriptor, Transfer())


def test_a_store_that_gives_something_else(open_session: OpenSession, store: Store, tmp_path: Path) -> None:
    descriptor, _ = blob(tmp_path, b"abc")
    answers = [content_pb2.ReadContentResponse(data=b"xyz")]
    session = open_session(content(Read=lambda request, context: iter(answers)))
    with pytest.raises(DigestMismatch):
        fetch_blob(store, SessionContent(session, EXPORT), descriptor, Transfer())


def test_a_store_that_takes_nothing(open_session: OpenSession, tmp_path: Path) -> None:
    def missing(request: object, context: Context) -> None:
        context.abort(grpc.StatusCode.NOT_FOUND, "not found")

    descriptor, path = blob(tmp_path, b"abc")
    session = open_session(content(Info=missing, Write=lambda requests, context: iter(())))
    with pytest.raises(BadStore, match="did not store"):
        ContentSink(session, EXPORT).put(descriptor, path)
    with pytest.raises(UserError, match="FileSend/diffcopy not supported"):
        send_file(session, "0")
