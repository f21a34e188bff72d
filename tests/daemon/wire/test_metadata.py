"""What is said of a vertex beside its op, and what progress tells of it."""

from __future__ import annotations

import uuid

import pytest
from tests.daemon.client.definitions import definition
from tests.daemon.client.solving import Build, Solved, solve
from tests.daemon.wire.observing import RUNS, failure, output, sh
from tests.support.daemons import Peer

from pybuild.compiler.graph import ProgressGroup
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, copy, mkfile

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()


def done(peer: Peer, state: State) -> Solved:
    return solve(peer.daemon, Build(state, entitlements=RUNS))


def test_names(peer: Peer, base: State) -> None:
    run = base.run(["sh", "-c", "true"], options=Options(name="my own name"))
    names = done(peer, run.file(mkfile("/f", b""), options=Options(name="another"))).progress.names
    assert {"my own name", "another"} <= set(names)


def test_names_of_ops(peer: Peer, base: State) -> None:
    state = sh(base, "true # with a name").file(mkfile("/f", b"").mkfile("/g", b""))
    names = done(peer, state.file(copy(SCRATCH.file(mkfile("/h", b"")), "/h", "/i"))).progress.names
    assert "sh -c true # with a name" in names
    assert "copy /h /i" in names
    assert any(name.startswith("docker-image://") for name in names)


def test_inputs_and_times(peer: Peer, base: State) -> None:
    first = sh(base, "true # the first")
    second = sh(first, "true # the second")
    progress = done(peer, second).progress
    one, two = progress.named("# the first"), progress.named("# the second")
    assert list(two.inputs) == [one.digest]
    assert one.completed.ToNanoseconds() >= one.started.ToNanoseconds() > 0
    assert two.started.ToNanoseconds() >= one.completed.ToNanoseconds()
    assert not two.cached
    assert done(peer, second).progress.named("# the second").cached


def test_steps_that_are_not_to_be_cached(peer: Peer, base: State) -> None:
    word = uuid.uuid4().hex
    command = ["sh", "-c", f"cat /proc/sys/kernel/random/uuid >/out # {word}"]
    kept, ignored = base.run(command), base.run(command, options=Options(ignore_cache=True))
    first = output(peer, kept)
    assert output(peer, kept) == first
    second = output(peer, ignored)
    assert second != first
    assert output(peer, ignored) not in (first, second)


def test_progress_groups(peer: Peer, base: State) -> None:
    group = ProgressGroup("id", "the group", weak=True)
    run = base.run(["sh", "-c", "true # in a group"], options=Options(progress_group=group))
    vertex = done(peer, run).progress.named("# in a group")
    found = vertex.progressGroup
    assert (found.id, found.name, found.weak) == ("id", "the group", True)


def test_capabilities_that_nobody_has(peer: Peer) -> None:
    made = definition(SCRATCH.file(mkfile("/f", b"")))
    for metadata in made.metadata.values():
        metadata.caps["no.such.capability"] = True
    failed = failure(peer, made)
    assert "no.such.capability" in failed.message


def test_printed_lines_belong_to_their_step(peer: Peer, base: State) -> None:
    word = uuid.uuid4().hex
    progress = done(peer, sh(sh(base, f"echo a # 1 {word}"), f"echo b # 2 {word}")).progress
    for number, line in ((1, b"a\n"), (2, b"b\n")):
        assert progress.output(progress.named(f"# {number} {word}").digest) == line
