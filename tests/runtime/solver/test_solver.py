from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.solver.domain import Domain, Node, Records, Value, evaluate, oracle

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.solver.solver import Solver
from pybuild.runtime.solver.types import Cancellation, Input, Observer


def solve(domain: Domain, *nodes: Node, parallelism: int | None = None) -> list[int]:
    solver: Solver[Node, Value] = Solver(domain, max_parallelism=parallelism)
    try:
        return [value.content for value in solver.solve([Input(node, 0) for node in nodes])]
    finally:
        solver.close()


def below(node: Node) -> Iterator[Node]:
    yield node
    for part in node.inputs:
        yield from below(part)


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 12))):
        parts = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
        spread = draw(st.sampled_from([1, 2, 3, 1 << 30]))
        nodes.append(Node(f"n{number}", tuple(parts), salt=number, spread=spread))
    return nodes


worlds = st.dictionaries(st.integers(0, 11).map(lambda n: f"n{n}"), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(graphs(), st.lists(worlds, min_size=1, max_size=4), st.integers(1, 3))
def test_results_are_the_oracles_and_rebuilds_are_minimal(
    nodes: list[Node], states: list[dict[str, int]], parallelism: int
) -> None:
    records, root = Records(), nodes[-1]
    needed = {node.name: node for node in below(root)}
    seen: set[tuple[int, tuple[int, ...], int]] = set()
    for world in states:
        domain = Domain(records, world)
        assert solve(domain, root, parallelism=parallelism) == [oracle(root, world)]
        # A node runs at most once, only if it is needed, and only if this op never saw these inputs before.
        for name, count in domain.runs.items():
            node = needed[name]
            state = (
                node.salt,
                tuple(oracle(part, world) for part in node.inputs),
                0 if node.inputs else world.get(name, 0),
            )
            assert count == 1
            assert state not in seen, f"{name} ran again with the same inputs"
            seen.add(state)
        again = Domain(records, world)
        assert solve(again, root) == [oracle(root, world)]
        assert not again.runs


def test_unneeded_nodes_are_not_touched() -> None:
    used, unused = Node("used", salt=1), Node("unused", salt=2, fails=True)
    domain = Domain(Records(), {})
    solve(domain, Node("root", (used,), salt=3))
    assert unused.name not in domain.runs


def test_a_hit_loads_nothing_beneath() -> None:
    leaf = Node("leaf", salt=1)
    root = Node("root", (leaf,), salt=2)
    records = Records()
    solve(Domain(records, {}), root)
    records.by_content.clear()
    key_of_leaf = next(key for key, value in records.by_key.items() if value.content == oracle(leaf, {}))
    del records.by_key[key_of_leaf]
    domain = Domain(records, {})
    assert solve(domain, root) == [oracle(root, {})]
    assert not domain.runs


def test_an_unchanged_output_stops_the_rebuild() -> None:
    leaf = Node("leaf", salt=1)
    middle = Node("middle", (leaf,), salt=2, spread=1)
    root = Node("root", (middle,), salt=3)
    records = Records()
    solve(Domain(records, {"leaf": 1}), root)
    domain = Domain(records, {"leaf": 2})
    solve(domain, root)
    assert set(domain.runs) == {"leaf", "middle"}


def test_no_cache_runs_and_takes_over_the_key() -> None:
    node = Node("node", salt=1)
    records = Records()
    solve(Domain(records, {}), node)
    (before,) = records.by_key.values()
    domain = Domain(records, {})
    domain.no_cache = {"node"}
    solve(domain, node)
    assert domain.runs == {"node": 1}
    (after,) = records.by_key.values()
    assert after is not before


def test_no_cache_beneath_a_hit_runs_and_its_outcome_counts() -> None:
    leaf, other = Node("leaf", salt=1), Node("other", salt=4)
    middle = Node("middle", (leaf,), salt=2)
    root = Node("root", (middle, other), salt=3)
    records = Records()
    solve(Domain(records, {}), root)

    class Moody(Domain):
        """Every run of `middle` has another outcome."""

        def run(self, vertex: Node, inputs: Sequence[Value], cancellation: Cancellation) -> Sequence[Value]:
            made = super().run(vertex, inputs, cancellation)
            return [Value(made[0].content + len(self.moods))] if vertex.name == "middle" else made

        moods: ClassVar[list[int]] = []

    same, changed = Moody(records, {}), Moody(records, {})
    same.no_cache = changed.no_cache = {"middle"}
    before = solve(same, root)
    assert same.runs == {"middle": 1}
    Moody.moods.append(1)
    after = solve(changed, root)
    assert changed.runs == {"middle": 1, "root": 1}
    assert after != before
    again = Domain(records, {})
    assert solve(again, root) == after
    assert not again.runs


def test_a_deep_chain_needs_no_stack() -> None:
    node = Node("0", salt=0)
    for number in range(1, 3000):
        node = Node(str(number), (node,), salt=number)
    domain = Domain(Records(), {})
    solve(domain, node)
    assert len(domain.runs) == 3000


def test_independent_nodes_run_side_by_side_up_to_the_bound() -> None:
    leaves = tuple(Node(f"leaf{n}", salt=n) for n in range(8))
    root = Node("root", leaves, salt=99)
    for bound in (1, 3):
        domain = Domain(Records(), {}, delay=0.02)
        solve(domain, root, parallelism=bound)
        assert domain.most == bound


def test_a_failure_cancels_the_rest_and_waits_for_it() -> None:
    slow = tuple(Node(f"slow{n}", salt=n) for n in range(4))
    root = Node("root", (*slow, Node("bad", salt=50, fails=True)), salt=99)

    class Impatient(Domain):
        def run(self, vertex: Node, inputs: object, cancellation: Cancellation) -> object:  # type: ignore[override]
            self.delay = 0 if vertex.fails else 30
            return super().run(vertex, inputs, cancellation)  # type: ignore[arg-type]

    domain = Impatient(Records(), {})
    begun = time.monotonic()
    with pytest.raises(UserError, match="bad failed"):
        solve(domain, root)
    assert time.monotonic() - begun < 5
    assert domain.running == 0
    assert not domain.records.by_key


def test_cancellation_ends_a_solve() -> None:
    domain = Domain(Records(), {}, delay=30)
    solver: Solver[Node, Value] = Solver(domain)
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        solver.solve([Input(Node("slow", salt=1), 0)], cancellation)
    assert domain.running == 0
    solver.close()


def test_clients_of_one_vertex_do_not_cancel_each_other() -> None:
    shared = Node("shared", salt=1)
    domain = Domain(Records(), {}, delay=0.4)
    solver: Solver[Node, Value] = Solver(domain)
    cancellation = Cancellation()
    outcome: list[object] = []

    def leave() -> None:
        try:
            solver.solve([Input(Node("root", (shared,), salt=2), 0)], cancellation)
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=leave)
    thread.start()
    time.sleep(0.1)
    threading.Timer(0.05, cancellation.cancel).start()
    (value,) = solver.solve([Input(shared, 0)])
    thread.join()
    solver.close()
    assert isinstance(outcome[0], Cancelled)
    assert value.content == oracle(shared, {})
    assert domain.runs["shared"] == 1
    assert domain.runs["root"] == 0


def test_two_solvers_share_one_run_by_the_jobs_lock() -> None:
    records = Records()
    node = Node("root", (Node("leaf", salt=1),), salt=2)
    domains = [Domain(records, {}, delay=0.05) for _ in range(3)]
    threads = [threading.Thread(target=solve, args=(domain, node)) for domain in domains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(domain.runs["root"] for domain in domains) == 1
    assert sum(domain.runs["leaf"] for domain in domains) == 1


def test_a_waiter_does_not_take_a_failure_as_its_own() -> None:
    records = Records()
    failing = Domain(records, {}, delay=0.1)
    working = Domain(records, {}, delay=0)
    good, bad = Node("node", salt=1), Node("node", salt=1, fails=True)
    errors: list[UserError] = []

    def fail() -> None:
        try:
            solve(failing, bad)
        except UserError as error:
            errors.append(error)

    thread = threading.Thread(target=fail)
    thread.start()
    time.sleep(0.03)
    assert solve(working, good) == [evaluate(good, [], {})]
    thread.join()
    assert len(errors) == 1


def test_the_observer_hears_each_vertex_once() -> None:
    heard: list[tuple[str, str]] = []

    class Ears(Observer[Node]):
        def started(self, vertex: Node) -> None:
            heard.append((vertex.name, "started"))

        def completed(self, vertex: Node, cached: bool, error: BaseException | None) -> None:
            heard.append((vertex.name, "cached" if cached else "failed" if error else "ran"))

    records = Records()
    root = Node("root", (Node("leaf", salt=1),), salt=2)
    for _ in range(2):
        solver: Solver[Node, Value] = Solver(Domain(records, {}), observer=Ears())
        solver.solve([Input(root, 0)])
        solver.close()
    assert heard == [
        ("leaf", "started"),
        ("leaf", "ran"),
        ("root", "started"),
        ("root", "ran"),
        ("root", "cached"),
    ]


def test_what_another_process_waits_for_goes_on() -> None:
    """And no longer than it waits."""
    for waits, runs in ((True, 1), (False, 0)):
        domain = Domain(Records(), {}, delay=0.5)
        domain.waited_for = {"shared"}
        solver: Solver[Node, Value] = Solver(domain)
        cancellation = Cancellation()
        threading.Timer(0.1, cancellation.cancel).start()
        if not waits:
            domain.delay = 30
            threading.Timer(0.2, domain.waited_for.clear).start()
        begun = time.monotonic()
        root = Node("root", (Node("shared", salt=1),), salt=2)
        with pytest.raises(Cancelled):
            solver.solve([Input(root, 0)], cancellation)
        assert time.monotonic() - begun < 5
        assert domain.running == 0
        solver.close()
        assert len(domain.records.by_key) == runs
        assert "root" not in domain.runs
