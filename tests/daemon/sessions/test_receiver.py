"""A tree that is received becomes what was sent, and only what has changed is sent again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.daemon.client.treesender import Sent
from tests.daemon.sessions.playing import Script, Sender
from tests.daemon.sessions.trees import One, Tree, read, trees, write

from pybuild.compiler.protos.fspackets_pb2 import Packet, Stat
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.filesync.receiver import Receiver
from pybuild.runtime.sources.statcache import describes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.sources.statcache import Known

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="pybuild-filesync-"))
    yield directory
    shutil.rmtree(directory)


def transfer(source: Path, target: Path, *, compare: bool = True) -> tuple[Sent, dict[bytes, Known]]:
    """What the client sent, and what was found of the files."""
    target.mkdir(exist_ok=True)
    found: dict[bytes, Known] = {}
    sender = Sender(source)
    receiver = Receiver(os.fsencode(target), found.__setitem__, compare=compare)
    receiver.run(sender, [], Cancellation())
    return sender.sent[0], found


def different(before: Tree, after: Tree) -> set[str]:
    """Files whose bytes a receiver has to ask for: by what can be told without reading them."""

    def shown(one: One | None) -> object:
        return one and (one.kind, len(one.content), one.mode, one.time, one.owner)

    return {
        os.fsdecode(path)
        for path, one in after.items()
        if one.kind == "file" and one.content and shown(before.get(path)) != shown(one)
    }


@given(st.lists(trees(), min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_sent_is_what_is_there(place: Path, states: list[Tree]) -> None:
    source, target = place / "source", place / "target"
    shutil.rmtree(target, ignore_errors=True)
    before: Tree = {}
    for state in states:
        write(source, state)
        sent = read(source)
        told, found = transfer(source, target)
        assert read(target) == sent
        assert set(told.requested) == different(before, sent)
        for path, known in found.items():
            assert known[5] == sha256(sent[path].content).digest()
            assert describes(known, os.lstat(target / os.fsdecode(path)))
        assert transfer(source, target)[0].requested == []
        before = sent


def test_every_file_when_nothing_is_compared(place: Path, tmp_path: Path) -> None:
    state = {b"a": One("file", b"one"), b"b": One("file"), b"c": One("directory", mode=0o755)}
    write(tmp_path / "source", state)
    for _ in range(2):
        told, _ = transfer(tmp_path / "source", tmp_path / "target", compare=False)
        assert told.requested == ["a"]
    assert read(tmp_path / "target") == state


def test_names_of_one_file(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    linked: Tree = {b"a": One("file", b"one"), b"b": One("name", b"a"), b"c": One("file", b"one")}
    apart: Tree = {**linked, b"b": One("file", b"one")}
    for state in (linked, apart, linked):
        write(source, state)
        transfer(source, target)
        assert read(target) == read(source)
    assert (target / "b").samefile(target / "a")


def test_attributes_are_kept_and_taken_away(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    write(source, {b"a": One("file", b"one"), b"d": One("directory")})
    try:
        os.setxattr(source / "a", "user.mine", b"value")
    except OSError:
        pytest.skip("no user attributes on this file system")
    os.setxattr(source / "d", "user.mine", b"other")
    transfer(source, target)
    assert os.getxattr(target / "a", "user.mine") == b"value"
    os.removexattr(source / "d", "user.mine")
    transfer(source, target)
    assert os.listxattr(target / "d") == []


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """Go's clients send the bytes of a name as they are."""
    said = Stat(path=b"\xff", mode=0o644)
    script = Script(Packet(stat=said), Packet(), Packet(type=Packet.PACKET_FIN))
    Receiver(os.fsencode(tmp_path), lambda path, known: None).run(script, [], Cancellation())
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff"]
