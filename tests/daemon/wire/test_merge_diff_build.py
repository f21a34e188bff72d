"""Merges, differences, and definitions that are results themselves."""

from __future__ import annotations

import pytest
from attrs import evolve
from tests.daemon.client.definitions import definition
from tests.daemon.wire.observing import failure, folder, output, sh, text, tree
from tests.support.daemons import Peer

from pybuild.compiler.graph import Edge, Vertex
from pybuild.compiler.ops import BuildOp, DiffOp, MergeOp
from pybuild.compiler.state import State, copy, diff, merge, mkdir, mkfile, rm

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()
ONE = SCRATCH.file(mkdir("/d").mkfile("/d/a", b"1").mkfile("/d/both", b"1", mode=0o600).mkfile("/one", b"1"))
TWO = SCRATCH.file(
    mkdir("/d", mode=0o700, owner=(5, 6)).mkfile("/d/b", b"2").mkfile("/d/both", b"2").mkfile("/two", b"2")
)


def test_the_last_of_a_merge_is_on_top(peer: Peer) -> None:
    assert tree(peer, merge([ONE, TWO])) == {
        "d": folder(0o700, (5, 6)),
        "d/a": text("1"),
        "d/b": text("2"),
        "d/both": text("2"),
        "one": text("1"),
        "two": text("2"),
    }
    assert tree(peer, merge([TWO, ONE]))["d/both"] == text("1", 0o600)


def test_deletions_are_merged(peer: Peer) -> None:
    without = ONE.file(rm("/d/a").rm("/one"))
    assert sorted(tree(peer, merge([ONE, diff(ONE, without)]))) == ["d", "d/both"]
    kinds = SCRATCH.file(mkdir("/one"))
    assert tree(peer, merge([ONE, kinds]))["one"] == folder()


def test_a_merge_of_merges_with_a_base(peer: Peer, base: State) -> None:
    inner = merge([ONE, TWO])
    merged = merge([base, inner, SCRATCH.file(mkfile("/two", b"3"))])
    run = sh(base.at(merged.edge), "cat /d/both /two /var/data/two >/out; rm /d/both; ls /d >>/out")
    assert output(peer, run) == "23two\na\nb\n"


def test_a_difference(peer: Peer, base: State) -> None:
    changed = base.file(mkfile("/var/data/new", b"new").rm("/var/data/one").mkfile("/var/data/two", b"2"))
    upper = diff(base, changed)
    found = tree(peer, upper)
    assert sorted(found) == ["var", "var/data", "var/data/new", "var/data/two"]
    onto = merge([SCRATCH.file(mkdir("/var/data", parents=True).mkfile("/var/data/one", b"other")), upper])
    assert sorted(tree(peer, onto)) == ["var", "var/data", "var/data/new", "var/data/two"]


def test_a_difference_of_steps(peer: Peer, base: State) -> None:
    run = sh(base, "echo 1 >/tmp/made; rm -r /var/data/sub; chmod 700 /var/tool")
    found = tree(peer, diff(base, run))
    assert found["tmp/made"] == text("1\n")
    assert found["var/tool"].mode == 0o700
    assert "var/data/sub" not in found
    assert "bin/busybox" not in found


def test_differences_of_what_is_empty(peer: Peer) -> None:
    same = diff(ONE, ONE.file(mkfile("/d/a", b"1")))
    assert set(tree(peer, same)) <= {"d", "d/a"}
    assert tree(peer, diff(ONE, ONE)) == {}
    assert sorted(tree(peer, diff(SCRATCH, ONE))) == sorted(tree(peer, ONE))


def test_a_difference_between_strangers(peer: Peer) -> None:
    """Where the upper state wasn't made from the lower one, files are compared."""
    found = tree(peer, diff(ONE, TWO))
    assert sorted(found) == ["d", "d/b", "d/both", "two"]
    assert sorted(tree(peer, merge([ONE, diff(ONE, TWO)]))) == ["d", "d/b", "d/both", "two"]


def test_a_built_definition(peer: Peer, base: State) -> None:
    inner = sh(base, "echo built >/out").file(mkfile("/more", b"more"))
    holder = SCRATCH.file(mkfile("/buildkit.llb.definition", definition(inner).SerializeToString()))
    built = holder.build()
    assert output(peer, built) == "built\n"
    assert output(peer, SCRATCH.file(copy(built, "/more", "/x")), path="/x") == "more"
    named = SCRATCH.file(mkfile("/other", definition(ONE).SerializeToString())).build(filename="other")
    assert sorted(tree(peer, named)) == ["d", "d/a", "d/both", "one"]


def test_a_built_definition_that_is_none(peer: Peer) -> None:
    assert "buildkit.llb.definition" in failure(peer, ONE.build()).message
    broken = SCRATCH.file(mkfile("/buildkit.llb.definition", b"\xff\xff\xff")).build()
    assert failure(peer, broken).message


def test_inputs_that_are_not_there(ours: Peer) -> None:
    assert ONE.edge is not None
    for op in (MergeOp((0, 7)), DiffOp(lower=0, upper=9)):
        assert failure(ours, Edge(Vertex(op, (ONE.edge,)))).message


def test_ops_that_make_no_sense(peer: Peer) -> None:
    edge = ONE.edge
    assert edge is not None
    beyond = evolve(edge, index=5)
    assert failure(peer, beyond).message
    assert failure(peer, Edge(Vertex(BuildOp(builder=0), (edge,)))).message
