"""Several goals at once: what each comes to, and what the failure of one means for the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.solver.domain import Domain, Node, Records, Value, oracle

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.solver.solver import Solver
from pybuild.runtime.solver.types import Cancellation, Input, Outcome


def each(domain: Domain, *nodes: Node, parallelism: int | None = None) -> list[Outcome[Value]]:
    solver: Solver[Node, Value] = Solver(domain, max_parallelism=parallelism)
    try:
        return solver.solve_each([Input(node, 0) for node in nodes])
    finally:
        solver.close()


def content(outcome: Outcome[Value]) -> int:
    assert outcome.error is None
    assert outcome.result is not None
    return outcome.result.content


def test_a_failure_leaves_the_others_alone() -> None:
    good, bad = Node("good", salt=1), Node("bad", salt=2, fails=True)
    domain = Domain(Records(), {}, delay=0.02)
    first, second, third = each(domain, good, bad, Node("other", (good,), salt=3))
    assert content(first) == oracle(good, {})
    assert str(second.error) == "bad failed"
    assert second.result is None
    assert third.error is None


def test_a_shared_failure_is_each_ones_and_is_tried_once() -> None:
    bad = Node("bad", salt=1, fails=True)
    domain = Domain(Records(), {}, delay=0.02)
    outcomes = each(domain, Node("a", (bad,), salt=2), Node("b", (bad,), salt=3), bad)
    assert [str(one.error) for one in outcomes] == ["bad failed"] * 3
    assert domain.runs == {"bad": 1}


def test_one_that_comes_late_does_not_try_a_failure_again() -> None:
    """`late` wants the failing vertex only after its own key is known, which takes long."""
    bad = Node("bad", salt=1, fails=True)
    slow = Node("slow", salt=4)
    late = Node("late", (slow, bad), salt=2)
    records = Records()
    records.ops |= {2, 4}

    class Slow(Domain):
        def op_key(self, vertex: Node, cancellation: Cancellation) -> str:
            if vertex.name == "slow":
                time.sleep(0.3)
            return super().op_key(vertex, cancellation)

    domain = Slow(records, {})
    outcomes = each(domain, Node("early", (bad,), salt=3), late)
    assert [str(one.error) for one in outcomes] == ["bad failed"] * 2
    assert domain.runs["bad"] == 1


def test_what_failed_is_tried_again_later() -> None:
    bad = Node("bad", salt=1, fails=True)
    domain = Domain(Records(), {})
    solver: Solver[Node, Value] = Solver(domain)
    for count in (1, 2):
        solver.solve_each([Input(bad, 0), Input(Node("x", (bad,), salt=5), 0)])
        assert domain.runs["bad"] == count
    with pytest.raises(UserError, match="bad failed"):
        solver.solve([Input(bad, 0)])
    assert domain.runs["bad"] == 3
    solver.close()


def test_a_failure_cancels_what_no_other_goal_wants() -> None:
    slow, shared = Node("slow", salt=1), Node("shared", salt=2)
    bad = Node("bad", salt=3, fails=True)

    class Paced(Domain):
        def run(self, vertex: Node, inputs: Sequence[Value], cancellation: Cancellation) -> Sequence[Value]:
            self.delay = {"slow": 30.0, "shared": 0.3}.get(vertex.name, 0)
            return super().run(vertex, inputs, cancellation)

    domain = Paced(Records(), {})
    begun = time.monotonic()
    failed, fine = each(domain, Node("a", (slow, shared, bad), salt=4), Node("b", (shared,), salt=5))
    assert time.monotonic() - begun < 5
    assert str(failed.error) == "bad failed"
    assert fine.error is None
    assert domain.running == 0


def test_cached_means_that_the_goal_was_found() -> None:
    leaf = Node("leaf", salt=1)
    old, new = Node("old", (leaf,), salt=2), Node("new", (leaf,), salt=3)
    records = Records()
    assert [one.cached for one in each(Domain(records, {}), old)] == [False]
    found, made = each(Domain(records, {}), old, new)
    assert (found.cached, made.cached) == (True, False)
    assert found.seconds == 0.0


def test_a_failed_goal_is_not_cached() -> None:
    (only,) = each(Domain(Records(), {}), Node("bad", salt=1, fails=True))
    assert not only.cached


def test_seconds_are_those_in_which_something_ran() -> None:
    base = Node("base", salt=1)
    goals = [Node(f"g{n}", (base,), salt=2 + n) for n in range(4)]
    outcomes = each(Domain(Records(), {}, delay=0.4), *goals, parallelism=1)
    for one in outcomes:
        assert 0.8 <= one.seconds < 1.6, "its own step and the shared one, without the wait for others"


def test_cancellation_ends_all_of_them() -> None:
    domain = Domain(Records(), {}, delay=30)
    solver: Solver[Node, Value] = Solver(domain)
    cancellation = Cancellation()
    threading.Timer(0.1, cancellation.cancel).start()
    with pytest.raises(Cancelled):
        solver.solve_each([Input(Node(f"n{n}", salt=n), 0) for n in range(5)], cancellation)
    assert domain.running == 0
    solver.close()


def test_no_goals() -> None:
    assert each(Domain(Records(), {})) == []


def test_one_goal_twice() -> None:
    node = Node("node", salt=1)
    domain = Domain(Records(), {}, delay=0.01)
    first, second = each(domain, node, node)
    assert content(first) == content(second)
    assert domain.runs == {"node": 1}


@st.composite
def goals(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 10))):
        parts = draw(st.lists(st.sampled_from(nodes), max_size=3)) if nodes else []
        fails = draw(st.integers(0, 4)) == 0
        nodes.append(Node(f"n{number}", tuple(parts), salt=number, fails=fails))
    return nodes


def fails(node: Node) -> bool:
    return node.fails or any(map(fails, node.inputs))


@settings(max_examples=100, deadline=None)
@given(goals(), st.integers(1, 3))
def test_each_goal_comes_to_what_it_would_alone(nodes: list[Node], parallelism: int) -> None:
    domain = Domain(Records(), {})
    outcomes = each(domain, *nodes, parallelism=parallelism)
    for node, outcome in zip(nodes, outcomes, strict=True):
        if fails(node):
            assert isinstance(outcome.error, UserError)
            assert not isinstance(outcome.error, Cancelled)
        else:
            assert content(outcome) == oracle(node, {})
    # Every vertex that can run does so, and once: all are goals.
    assert all(count == 1 for count in domain.runs.values())
    assert set(domain.runs) == {node.name for node in nodes if not any(map(fails, node.inputs))}
