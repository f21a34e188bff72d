"""Long chains and many bodies: no recursion, linear time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.compiler.lower.dockerfile.world import AMD64, World
from tests.compiler.lower.recipe.making import (
    PLATFORM,
    body,
    built,
    copying,
    history,
    image,
    recipe,
    run,
    scratch,
    template,
)

from pybuild.compiler.lower.recipe import LowerOptions, lower
from pybuild.lang.recipe import Body, Diff, Env, Labels, Merge, Mkdir, Start, State, Step, Workdir

pytestmark = pytest.mark.growth


def seconds(bodies: list[Body]) -> float:
    made = recipe(*bodies)
    start = time.process_time()
    lower(made, LowerOptions(AMD64), World())
    return time.process_time() - start


def doubled(make: Callable[[int], list[Body]], count: int) -> float:
    """How much longer twice as much takes."""
    few, many = (min(seconds(make(number)) for _ in range(3)) for number in (count, 2 * count))
    return many / few


def chain(count: int) -> list[Body]:
    return [body(*(run(f"echo {number}") for number in range(count)))]


def test_a_chain_of_100_000_steps() -> None:
    (made,) = chain(100_000)
    found = lower(recipe(made), LowerOptions(AMD64), World())
    (one,) = found.instances.values()
    assert len(history(one)) == 100_000


def test_a_chain_of_10_000_bodies() -> None:
    base: State = image()
    for number in range(10_000):
        made = Body(f"t{number}", PLATFORM)
        made.state = Step(None, Start(None, base, PLATFORM, made), run(str(number)), made)
        base = built(made)
    lower(recipe(made), LowerOptions(AMD64), World())


def test_10_000_bodies_on_one_that_copy_from_each_other() -> None:
    shared = body(run("a"), title="shared")
    bodies = [shared]
    for number in range(10_000):
        bodies.append(
            body(copying("x", to="/", source=built(bodies[-1])), base=built(shared), title=f"t{number}")
        )
    found = lower(recipe(*bodies), LowerOptions(AMD64), World())
    assert len(found.instances) == 10_001


def test_merges_and_diffs_in_each_other() -> None:
    state: State = image()
    for number in range(3000):
        state = Merge(None, (Diff(None, scratch(), state), built(body(run(str(number)), title=str(number)))))
    lower(recipe(body(base=state)), LowerOptions(AMD64), World())


def test_time_is_linear_in_steps() -> None:
    assert doubled(chain, 5000) < 3.6  # 4 if it grew with the square


def test_time_is_linear_in_known_directories() -> None:
    def make(count: int) -> list[Body]:
        return [body(*(Mkdir((f"/d/{number}",)) for number in range(count)), Workdir(template("/d")))]

    assert doubled(make, 5000) < 3.6  # 4 if it grew with the square


def test_time_is_linear_in_bodies() -> None:
    def make(count: int) -> list[Body]:
        shared = body(run("a"), Env((("A", template("1")),)), Labels((("a", "b"),)), title="shared")
        return [body(run(str(n)), base=built(shared), title=str(n)) for n in range(count)]

    assert doubled(make, 3000) < 3.6  # 4 if it grew with the square
