"""Large and deep programs: an answer in linear time, or a clean refusal."""

from __future__ import annotations

import time

import pytest
from tests.lang.textual.worlds import World

from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.textual import modules
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.check.cycles import Edge, components
from pybuild.lang.textual.load import load

pytestmark = pytest.mark.growth


def program(text: str) -> modules.Program:
    world = World({"build.pybuild": text})
    loaded = load(world.root(), world)
    assert loaded.program is not None
    assert not [one for one in loaded.diagnostics if one.level == "error"]
    return loaded.program


def errors(text: str) -> list[Diagnostic]:
    return [one for one in check(program(text)) if one.level == "error"]


def chain(count: int) -> str:
    targets = [f"target t{n}:\n    from t{n + 1}\n    run make\n" for n in range(count)]
    return "".join([*targets, f'target t{count}:\n    from "debian"\n'])


def test_ten_thousand_chained_targets() -> None:
    loaded = program(chain(10_000))
    start = time.process_time()
    assert check(loaded) == []
    assert time.process_time() - start < 20


def test_a_cycle_of_ten_thousand_targets() -> None:
    text = "".join(f"target t{n}:\n    from t{(n + 1) % 10_000}\n" for n in range(10_000))
    (one,) = errors(text)
    assert one.code == "E0701"
    assert one.title == "10000 targets depend on each other"
    assert len(one.labels) == 4
    assert dict(one.notes)["note"].startswith("t0 → t1 → ")


def test_ten_thousand_chained_lets() -> None:
    text = "".join(f"let a{n} = a{n + 1}\n" for n in range(10_000))
    assert errors(text + 'let a10000 = "x"\n') == []
    (one,) = errors(text + "let a10000 = a0\n")
    assert one.code == "E0702"


def test_ten_thousand_mistakes_are_twenty() -> None:
    found = errors("".join(f"let a{n} = missing{n}\n" for n in range(10_000)))
    assert len(found) == 20
    assert found[-1].notes[-1] == ("note", "9980 more errors are not shown")


def test_lets_that_double_do_not_grow() -> None:
    text = 'let a0 = "x"\n' + "".join(f"let a{n} = a{n - 1} + a{n - 1}\n" for n in range(1, 200))
    assert errors(text + "target t:\n    from a199\n") == []


def test_blocks_in_blocks() -> None:
    def nested(depth: int) -> str:
        lines = [f"{' ' * (at + 1)}if true:\n" for at in range(depth)]
        return "".join(["target t:\n from scratch\n", *lines, f'{" " * (depth + 1)}env A = "1"\n'])

    assert errors(nested(64)) == []
    (one,) = errors(nested(65))
    assert one.code == "E0703"


def test_components_of_a_known_graph() -> None:
    world = World({"build.pybuild": "let x = 1\n"})
    span = program("let x = 1\n").root.file.span
    assert world.root().key == "build.pybuild"
    edges = [[1, 2], [0], [3], [4], [3], [5], []]
    assert components([[Edge(to, span, "uses") for to in row] for row in edges]) == [[0, 1], [3, 4], [5]]
