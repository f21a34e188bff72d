"""Four times the program takes about four times the time, whatever is repeated in it."""

from __future__ import annotations

import sys

import pytest
from tests.lang.textual.growth.phases import PHASES, seconds
from tests.lang.textual.growth.shapes import REFUSED, SHAPES, Shape

SMALL, LARGE = 1_000, 4_000
MOST = 8.0
"""Times the time of a quarter of the program; quadratic work takes sixteen."""
NOISE = 0.05
"""Seconds that a phase may take whatever is in the program."""
TRIES = 4

pytestmark = pytest.mark.growth


def grown(shape: Shape) -> dict[str, float]:
    """How much longer each phase takes for the large program. Other work on the machine only ever adds: the best of
    a few tries counts."""
    small: dict[str, float] = {}
    large: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for _ in range(TRIES):
        for best, number in ((small, SMALL), (large, LARGE)):
            for phase, time in seconds(shape(number))[0].items():
                best[phase] = min(time, best.get(phase, time))
        ratios = {phase: large[phase] / (small[phase] + NOISE / MOST) for phase in large}
        if all(ratio < MOST for ratio in ratios.values()):
            break
    return ratios


@pytest.mark.parametrize("name", SHAPES)
def test_every_phase_is_linear(name: str) -> None:
    ratios = grown(SHAPES[name])
    assert tuple(ratios) == PHASES
    assert {phase: ratio for phase, ratio in ratios.items() if ratio >= MOST} == {}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_found_in_linear_time(name: str) -> None:
    times, said = seconds(REFUSED[name](SMALL))
    assert [one.code for one in said if one.level == "error"]
    assert "expand" not in times
    assert {phase: ratio for phase, ratio in grown(REFUSED[name]).items() if ratio >= MOST} == {}


@pytest.mark.parametrize("name", ["blocks within blocks", "brackets within brackets"])
def test_what_nests_too_deeply_is_refused(name: str) -> None:
    _, said = seconds(REFUSED[name](5_000))
    assert {one.code for one in said if one.level == "error"} == {"E0703"}


def test_quadratic_work_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(files: int) -> tuple[dict[str, float], list[object]]:
        return {"parse": (files / SMALL) ** 2}, []

    monkeypatch.setattr(sys.modules[__name__], "seconds", slow)
    assert grown(lambda number: number)["parse"] > MOST  # type: ignore[arg-type,return-value]
