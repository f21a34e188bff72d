"""Every input is taken or refused with a message: what was found once, and a short run of the fuzzer."""

from __future__ import annotations

import re

import pytest
from tests.fuzz.casebook import read_cases
from tests.fuzz.coverage import Steps
from tests.fuzz.fuzzer import Fuzzer, minimal, outcome
from tests.fuzz.mutations import DICTIONARY
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, WATCHED

from pybuild.lang.dockerfile import wildcard

EXECUTIONS = 120
SECONDS = 0.7


@pytest.mark.parametrize(("target", "title", "data"), read_cases(), ids=lambda value: str(value)[:40])
def test_what_was_found_is_put_right(target: str, title: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str) -> None:
    report = Fuzzer(target, seed=0).run(EXECUTIONS, SECONDS)
    assert {way: (failure.data, failure.trace) for way, failure in report.failures.items()} == {}
    assert len(report.steps) > 50


def test_every_instruction_stands_in_a_seed() -> None:
    whole = b"\n".join(seeds("parse"))
    names = [token for token in DICTIONARY if re.fullmatch(rb"\n[A-Z]+ ", token)]
    assert len(names) == 20
    assert [name for name in names if name not in whole] == []


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[bytes]:
        wildcard._compiled.clear()
        return Fuzzer("wildcard", seed).run(60, 60).corpus

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_steps_are_those_of_the_watched_code() -> None:
    def taken(pattern: str) -> set[tuple[int, int, int]]:
        steps = Steps(WATCHED)
        with steps.recording():
            wildcard.check(pattern)
            sorted([2, 1], key=lambda number: -number)
        return steps.taken()

    assert taken("a") == taken("b")
    assert taken("a") < taken("a*") | taken("a")
    assert taken("aaa") != taken("a")
    assert not Steps(()).taken()


def test_a_failing_input_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(data: bytes) -> None:
        wildcard.check("[a]" if b"*" in data else "a")
        if b"*" in data and b"[" in data:
            raise KeyError(data)

    assert isinstance(outcome(act, b"xx[x*x"), KeyError)
    assert minimal(b"xx[xx*xx" * 9, lambda data: outcome(act, data) is not None) in (b"[*", b"*[")
    monkeypatch.setitem(TARGETS, "wildcard", act)
    (failure,) = Fuzzer("wildcard", 0).run(2000, 30).failures.values()
    assert sorted(failure.data) == sorted(b"[*")
    assert failure.way.startswith("KeyError tests/fuzz/test_fuzz.py:act:")
