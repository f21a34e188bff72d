"""Mistakes in the examples are found where they are, in few words."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from tests.lang.textual.mutants.frontend import FILES, said
from tests.lang.textual.mutants.kinds import KINDS
from tests.lang.textual.mutants.mutate import Mutant, judged, main, run
from tests.lang.textual.mutants.pieces import Program

from pybuild.lang.diagnostics import render

pytestmark = pytest.mark.long

SEED = 1
COUNT = 200


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_said_of_an_example(name: str) -> None:
    assert [render(one) for one in said(name, FILES[name])] == []


def test_mistakes_are_found_where_they_are() -> None:
    result = run(SEED, COUNT)
    assert len(result.answered) == COUNT
    assert [f"{one.mutant}\n{one.wrong}" for one in result.failed] == []
    assert len({one.mutant.kind.name for one in result.answered}) > 50


def test_valid_programs_are_rare_and_of_few_kinds() -> None:
    valid = run(SEED, COUNT).valid
    assert len(valid) < COUNT / 10
    assert [str(one.mutant) for one in valid if one.mutant.kind.sure] == []


@cache
def programs() -> dict[str, Program]:
    return {name: Program(text) for name, text in FILES.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mistake(kind: str) -> None:
    """The first places in which it can be made, and some more by chance."""
    changes = [
        (name, program, change)
        for name, program in programs().items()
        for change in KINDS[kind].changes(program)
    ]
    chosen = [*changes[:3], *Random(kind).sample(changes, min(5, len(changes)))]
    outcomes = [judged(Mutant(KINDS[kind], name, program, change)) for name, program, change in chosen]
    assert [f"{one.mutant}\n{one.wrong}" for one in outcomes if one.wrong] == []


def test_the_program_says_what_it_did(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["mutate.py", "--seed", "7", "--count", "12"])
    assert main() == 0
    shown = capsys.readouterr().out
    assert shown.startswith("seed 7\n")
    assert "valid programs:" in shown
    assert shown.count("failures:") == 1


def test_a_bad_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end that says too much, nothing, something elsewhere, or raises."""
    program = Program(FILES["1_hello.pybuild"])
    kind = KINDS["dropped colon"]
    mutant = Mutant(kind, "1_hello.pybuild", program, next(kind.changes(program)))
    messages = said(mutant.name, mutant.text)
    assert judged(mutant).wrong == ""
    elsewhere = said("1_hello.pybuild", FILES["1_hello.pybuild"].replace("cmd", "cdm"))

    def answering(answer: object) -> str:
        monkeypatch.setattr("tests.lang.textual.mutants.mutate.said", answer)
        return judged(mutant).wrong

    assert answering(lambda *_: messages * 4) == "4 messages"
    assert answering(lambda *_: []) == "nothing is said"
    assert answering(lambda *_: elsewhere) == "no message points at the mistake"
    assert "ZeroDivisionError" in answering(lambda *_: 1 / 0)


def test_the_same_seed_makes_the_same_mutants() -> None:
    def made(seed: int) -> list[str]:
        return [str(one.mutant) for one in run(seed, 20).answered]

    assert made(3) == made(3) != made(4)
