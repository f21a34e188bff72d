"""Local sources of sessions: a tree for each build, kept from one to the next."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from tests.daemon.client.files import Directories
from tests.daemon.client.treesender import root_owned
from tests.daemon.sessions.conftest import OpenSession
from tests.daemon.sessions.playing import Clients, M

from pybuild.compiler.graph import Vertex
from pybuild.compiler.ops import SourceOp
from pybuild.compiler.protos.fsutil_pb2 import Packet
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.clients.client import Workplace
from pybuild.runtime.clients.sessionclient import SessionClient
from pybuild.runtime.content.directories import directories, in_use
from pybuild.runtime.content.store import Store
from pybuild.runtime.progress.observer import Observer, StatusEvent
from pybuild.runtime.session.calls import CallFailed, Session, SessionLost, Stream
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.filesync.source import NoLocalSources
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.usage.deletion import take_away

pytestmark = pytest.mark.root


class Told(Observer):
    """Keeps what is told of transfers."""

    def __init__(self) -> None:
        self.events: list[StatusEvent] = []

    def status(self, event: StatusEvent) -> None:
        self.events.append(event)


class Renamed(Session):
    """The session of another build of a client, with the same in it."""

    def __init__(self, session: Session) -> None:
        self.id, self.shared_key = uuid.uuid4().hex, session.shared_key
        self._session = session

    def offers(self, method: str) -> bool:
        return self._session.offers(method)

    def call(self, method: str, request: Message, response: type[M], **options: Any) -> M:
        return self._session.call(method, request, response, **options)

    def stream(
        self, method: str, requests: Iterable[Message], response: type[Message], **options: Any
    ) -> Stream:
        return self._session.stream(method, requests, response, **options)


class Build:
    """One build of a client, by its parts that have to do with local sources; `again`: in the session of the one
    before."""

    def __init__(self, store: Store, clients: Clients, id: str = "one", *, again: bool = False) -> None:
        for name, session in clients.open.items() if not again else ():
            clients.open[name] = Renamed(session)
        self.told = Told()
        self.cancellation = Cancellation()
        self._client = SessionClient(clients, id, self.cancellation)
        self._client.enter(Workplace(store, None, self.told))

    def tree(self, name: str = "context", **attrs: str) -> LocalTree:
        op = SourceOp(f"local://{name}", {f"local.{k}": v for k, v in attrs.items()})
        return self._client.tree(Vertex(op), self.cancellation)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    (directory / "sub").mkdir(parents=True)
    (directory / "a").write_text("one\n")
    (directory / "sub/b").write_text("two\n")
    return directory


@pytest.fixture
def offer(context: Path) -> Directories:
    return Directories({"context": context, "other": context})


@pytest.fixture
def clients(open_session: OpenSession, offer: Directories) -> Clients:
    clients = Clients()
    clients.open["one"] = open_session(offer.offer(), shared_key="key")
    return clients


@pytest.fixture
def build(store: Store, clients: Clients) -> Iterator[Build]:
    build = Build(store, clients)
    yield build
    build.close()


def paths(tree: LocalTree) -> list[str]:
    return [os.fsdecode(node.path) for node in tree.walk(b"")]


def requested(offer: Directories) -> list[list[str]]:
    return [sorted(one.sent.requested) for one in offer.asked]


def test_an_unchanged_directory_is_described_alone(
    store: Store, clients: Clients, context: Path, offer: Directories
) -> None:
    digests = []
    for changed in ("", "", "three\n"):
        if changed:
            (context / "a").write_text(changed)
        build = Build(store, clients)
        tree = build.tree()
        assert paths(tree) == ["a", "sub", "sub/b"]
        digests.append(tree.digest())
        tree.save()
        build.close()
    assert requested(offer) == [["a", "sub/b"], [], ["a"]]
    assert digests[0] == digests[1] != digests[2]
    (one,) = directories(store)
    assert (one.type, one.description, one.uses) == ("source.local", "local source for context", 3)


def test_digests_come_with_the_bytes(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is read again for its digest."""
    tree = build.tree()
    monkeypatch.setattr("pybuild.runtime.sources.filestates.read", None)
    tree.digest()


def test_what_a_build_saw_stays(store: Store, clients: Clients, context: Path) -> None:
    first = Build(store, clients)
    before = first.tree()
    (context / "a").unlink()
    second = Build(store, clients)
    assert paths(second.tree()) == ["sub", "sub/b"]
    assert paths(before) == ["a", "sub", "sub/b"]
    assert [in_use(store, one) for one in directories(store)] == [True, True]
    assert not any(take_away(store, one) for one in directories(store))
    first.close()
    second.close()
    assert all(take_away(store, one) for one in directories(store))
    assert directories(store) == []


def test_builds_of_a_session_see_the_same(
    store: Store, clients: Clients, context: Path, offer: Directories
) -> None:
    first = Build(store, clients)
    first.tree(unique="a")
    (context / "a").write_text("changed\n")
    for _ in range(2):
        second = Build(store, clients, again=True)
        assert second.tree(unique="b").digest() == first.tree().digest()
        assert paths(second.tree(includepattern=json.dumps(["a"]))) == ["a"]
        second.close()
    assert requested(offer) == [["a", "sub/b"], ["a"]]
    first.close()
    assert len(directories(store)) == 2
    assert all(take_away(store, one) for one in directories(store))


def test_builds_of_a_session_wait_for_one_transfer(
    store: Store, clients: Clients, offer: Directories
) -> None:
    builds = [Build(store, clients), *(Build(store, clients, again=True) for _ in range(3))]
    with ThreadPoolExecutor() as pool:
        digests = set(pool.map(lambda build: build.tree().digest(), builds))
    assert len(digests) == 1
    assert len(offer.asked) == 1
    for build in builds:
        build.close()


def test_owners_are_what_the_client_says(store: Store, open_session: OpenSession, context: Path) -> None:
    """Those of a context are root: it is the client that says so."""
    os.chown(context / "a", 12, 34)
    clients, digests = Clients(), set()
    for owned in (False, True):
        change = (lambda said: None) if owned else root_owned
        clients.open["one"] = open_session(Directories({"context": context}, change).offer())
        build = Build(store, clients)
        tree = build.tree()
        node = tree.lstat(b"a")
        assert node is not None
        assert tree.owned
        assert (node.stat.st_uid, node.stat.st_gid) == ((12, 34) if owned else (0, 0))
        digests.add(tree.digest())
        build.close()
    assert len(digests) == 2


def test_each_name_hint_and_key_has_its_own(
    store: Store, clients: Clients, offer: Directories, open_session: OpenSession
) -> None:
    clients.open["two"] = open_session(offer.offer(), shared_key="another key")
    for id, name, hint in [
        ("one", "context", ""),
        ("one", "other", ""),
        ("one", "context", "x"),
        ("two", "context", ""),
    ]:
        build = Build(store, clients, id)
        build.tree(name, sharedkeyhint=hint)
        build.close()
    assert all(requested(offer))
    assert len(directories(store)) == 4


def test_what_is_asked_for(build: Build, offer: Directories) -> None:
    tree = build.tree(
        includepattern=json.dumps(["a", "ü"]),
        excludepatterns=json.dumps(["b"]),
        followpaths=json.dumps(["a"]),
    )
    assert paths(tree) == ["a"]
    (asked,) = offer.asked
    assert (asked.filter.include, asked.filter.exclude, asked.filter.follow) == (["a", "ü"], ["b"], ["a"])
    assert asked.metadata["include-patterns-encoded"] == ["1"]
    assert "exclude-patterns-encoded" not in asked.metadata


def test_all_files_where_nothing_is_compared(store: Store, clients: Clients, offer: Directories) -> None:
    for differ in ("", "metadata", "none"):
        build = Build(store, clients)
        build.tree(differ=differ)
        build.close()
    assert requested(offer) == [["a", "sub/b"], [], ["a", "sub/b"]]


def test_metadata_alone(build: Build, offer: Directories) -> None:
    tree = build.tree(metadatatransfer="true", metadatatransferexclude=json.dumps(["sub"]))
    assert paths(tree) == [".fsutil-metadata", "sub", "sub/b"]
    assert requested(offer) == [["sub/b"]]
    with pytest.raises(UserError, match=r"invalid value for local\.metadatatransfer 'some'"):
        build.tree(metadatatransfer="some")


def test_progress_is_told(build: Build) -> None:
    build.tree()
    last = build.told.events[-1]
    assert last.id == "transferring context:"
    assert last.completed
    assert last.current > 8


def test_sources_of_another_session(
    store: Store, clients: Clients, offer: Directories, open_session: OpenSession, context: Path
) -> None:
    others = Directories({"context": context / "sub", "before-context": context})
    clients.open["two"] = open_session(others.offer())
    clients.open["empty"] = open_session()
    build = Build(store, clients)
    assert paths(build.tree(session="two")) == ["b"]
    assert paths(build.tree(session="before:two")) == ["a", "sub", "sub/b"]
    for id in ("empty", "gone", "one"):
        assert paths(build.tree(session=id)) == ["a", "sub", "sub/b"]
    build.close()


@pytest.mark.parametrize(
    ("id", "kind", "words"),
    [
        ("", UserError, "could not access local files without session"),
        ("gone", SessionLost, "no active session for gone: context deadline exceeded"),
        ("empty", NoLocalSources, "no local sources enabled"),
        ("one", CallFailed, 'no access allowed to dir "missing"'),
    ],
)
def test_no_such_directory(
    store: Store, clients: Clients, open_session: OpenSession, id: str, kind: type[UserError], words: str
) -> None:
    clients.open["empty"] = open_session()
    build = Build(store, clients, id)
    with pytest.raises(kind, match=words):
        build.tree("missing")
    build.close()
    assert not any(in_use(store, one) for one in directories(store))


def test_after_another_boot_all_is_sent(store: Store, clients: Clients, offer: Directories) -> None:
    for boot in ("this", "another"):
        store.boot = boot
        build = Build(store, clients)
        build.tree()
        build.close()
    assert requested(offer) == [["a", "sub/b"]] * 2


def test_a_transfer_ends_when_the_build_does(
    store: Store, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client says nothing more."""
    at_work, over = threading.Event(), threading.Event()

    def silent(*_: object) -> Iterator[Packet]:
        at_work.set()
        over.wait(10)
        yield from ()

    monkeypatch.setattr("tests.daemon.client.files.send", silent)
    build = Build(store, clients)

    def cancel() -> None:
        at_work.wait(10)
        build.cancellation.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(Cancelled):
        build.tree()
    over.set()
    canceller.join()
    build.close()
    assert not any(in_use(store, one) for one in directories(store))
