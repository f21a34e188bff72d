"""Laws of merges and differences: a merged state is what unpacking its layers in order gives, whichever
snapshotter made it; a layer is the same bytes wherever it lies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.snapshots.indexes import ShownIndex
from tests.runtime.snapshots.states import Step, UpperWriter, apply, in_tree, linked, on_disk
from tests.runtime.snapshots.test_snapshot_laws import BASE, BYTES, MAKING, PATHS, direct, mounted

from pybuild.runtime.content.store import Store
from pybuild.runtime.image.compression import Compression
from pybuild.runtime.image.layers import Layers
from pybuild.runtime.image.unpack import unpack
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Snapshotter

pytestmark = pytest.mark.root

STEPS = st.tuples(MAKING | st.sampled_from(["link", "chmod", "append", "chown"]), PATHS, BYTES)
HISTORY = st.lists(st.lists(STEPS, min_size=1, max_size=6), min_size=1, max_size=2)
ON_BASE = st.tuples(st.booleans(), HISTORY).map(lambda pair: [BASE, *pair[1]] if pair[0] else pair[1])
# Where a later layer changes one name of a file, plain copies alone change the other names too.
UNCHANGED_LINKS = ON_BASE.filter(
    lambda history: (
        not any(
            any(step[0] == "link" for step in layer)
            and any(
                step[0] in ("chmod", "append", "chown") for later in history[number + 1 :] for step in later
            )
            for number, layer in enumerate(history)
        )
    )
)
Kind = type[OverlaySnapshotter] | type[CopySnapshotter] | type[ShownIndex]
KINDS: st.SearchStrategy[Kind] = st.sampled_from([OverlaySnapshotter, CopySnapshotter, ShownIndex])
Make = Callable[[Snapshotter, int | None, Sequence[Step]], int]
PLAIN = Compression("uncompressed")


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory, Store.open(directory) as store:
        yield store


def chain(
    snapshotter: Snapshotter, history: Sequence[Sequence[Step]], make: Make, parent: int | None = None
) -> int | None:
    for steps in history:
        parent = make(snapshotter, parent, steps)
    return parent


def merge(snapshotter: Snapshotter, *states: int | None) -> int | None:
    merged: int | None = None
    for state in states:
        for layer in snapshotter.layers(state):
            merged = snapshotter.stack(merged, layer)
    return merged


def unpacked(store: Store, snapshotter: Snapshotter, state: int | None) -> int | None:
    """The state as another machine has it: every layer as a blob, unpacked over the one before."""
    layers = Layers(store, snapshotter).layers(state, PLAIN)
    with store.transaction() as db:
        db.execute("DELETE FROM chain")
    made = unpack(store, snapshotter, layers)
    assert set(snapshotter.chain(made)).isdisjoint(snapshotter.chain(state))
    return made


def check(store: Store, snapshotter: Snapshotter, state: int | None) -> None:
    tree, other = snapshotter.tree(state), snapshotter.tree(unpacked(store, snapshotter, state))
    assert in_tree(tree) == in_tree(other)
    assert linked(tree.walk(b"")) == linked(other.walk(b""))
    times = {node.path: node.stat.st_mtime_ns // 10**9 for node in tree.walk(b"")}
    assert times == {node.path: node.stat.st_mtime_ns // 10**9 for node in other.walk(b"")}
    with snapshotter.mount(state) as root:
        assert on_disk(root) == in_tree(tree)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(KINDS, st.booleans(), ON_BASE, ON_BASE, ON_BASE)
def test_a_merge_is_its_layers_unpacked(
    kind: Kind,
    by_mount: bool,
    one: list[list[Step]],
    two: list[list[Step]],
    three: list[list[Step]],
) -> None:
    with fresh_store() as store:
        snapshotter = kind(store)
        make = mounted if by_mount else direct
        a, b, c = (chain(snapshotter, history, make) for history in (one, two, three))
        merged = merge(snapshotter, a, b, c)
        check(store, snapshotter, merged)
        assert snapshotter.layers(merged) == [
            *snapshotter.chain(a),
            *snapshotter.chain(b),
            *snapshotter.chain(c),
        ]
        # However it is put together, and again, it is the same snapshot.
        assert merge(snapshotter, merge(snapshotter, a, b), c) == merged
        assert merge(snapshotter, a, merge(snapshotter, b, c)) == merged
        check(store, snapshotter, merge(snapshotter, merged, a))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(KINDS, ON_BASE, HISTORY, ON_BASE)
def test_a_difference_laid_over_its_lower_state_is_the_upper_one(
    kind: Kind,
    base: list[list[Step]],
    more: list[list[Step]],
    other: list[list[Step]],
) -> None:
    with fresh_store() as store:
        snapshotter = kind(store)
        lower = chain(snapshotter, base, direct)
        upper = chain(snapshotter, more, direct, lower)
        foreign = chain(snapshotter, other, direct)
        built_on = snapshotter.difference(lower, upper)
        assert merge(snapshotter, lower, built_on) == upper
        check(store, snapshotter, merge(snapshotter, foreign, built_on))
        computed = snapshotter.difference(foreign, upper)
        assert len(snapshotter.layers(computed)) == 1
        again = merge(snapshotter, foreign, computed)
        assert in_tree(snapshotter.tree(again)) == in_tree(snapshotter.tree(upper))
        check(store, snapshotter, again)
        check(store, snapshotter, merge(snapshotter, lower, computed))
        gone = merge(snapshotter, upper, snapshotter.difference(upper, None))
        assert in_tree(snapshotter.tree(gone)) == {}


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(UNCHANGED_LINKS, UNCHANGED_LINKS)
def test_all_snapshotters_merge_alike(one: list[list[Step]], two: list[list[Step]]) -> None:
    with fresh_store() as store:
        states = []
        for snapshotter in (OverlaySnapshotter(store), CopySnapshotter(store), ShownIndex(store)):
            a, b = (chain(snapshotter, history, direct) for history in (one, two))
            merged = merge(snapshotter, a, b)
            states.append((in_tree(snapshotter.tree(merged)), linked(snapshotter.tree(merged).walk(b""))))
        assert states[0] == states[1] == states[2]


def test_steps_go_on_from_a_merged_state() -> None:
    with fresh_store() as store:
        for snapshotter in (OverlaySnapshotter(store), CopySnapshotter(store)):
            merged = merge(
                snapshotter,
                direct(snapshotter, None, [("directory", b"d", b""), ("write", b"d/low", b"one")]),
                direct(snapshotter, None, [("directory", b"d", b""), ("write", b"d/top", b"two")]),
            )
            active = snapshotter.prepare(merged)
            writer = UpperWriter(snapshotter, active)
            apply(writer, ("remove", b"d/low", b""))
            apply(writer, ("append", b"d/top", b"one"))
            above = active.commit()
            with snapshotter.mount(above) as root:
                assert os.listdir(root + b"/d") == [b"top"]
                with open(root + b"/d/top", "rb") as file:
                    assert file.read() == b"twoone"
            check(store, snapshotter, above)
            assert snapshotter.layers(above)[-1] == above
