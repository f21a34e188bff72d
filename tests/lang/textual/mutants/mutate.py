"""Mistakes made in the examples by chance, and what is said of each.

    python tests/lang/textual/mutants/mutate.py [--seed N] [--count N] [--kind NAME] [--show]

A mutant is well answered by one to three messages, at least one of which points into a row in which the mistake is
or the one next to it. A mutant without errors, and without a warning there, is a valid program: it is listed and not
counted, and only some kinds may have it.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[4])

from tests.lang.textual.mutants import meaning, syntax  # noqa: F401
from tests.lang.textual.mutants.frontend import FILES, said
from tests.lang.textual.mutants.kinds import KINDS, Change, Kind
from tests.lang.textual.mutants.pieces import Program

from pybuild.lang.diagnostics import Diagnostic, render

MOST = 3
"""Messages about one mistake."""


@dataclass(frozen=True)
class Mutant:
    kind: Kind
    name: str
    program: Program
    change: Change

    @property
    def text(self) -> str:
        return self.change.applied(self.program)

    def __str__(self) -> str:
        row = self.program.row_of(self.change.start)
        lines = self.text.split("\n")
        line = lines[row - 1] if row <= len(lines) else ""
        return f"{self.kind.name}: {self.name}:{row}: {line.strip()}"


@dataclass
class Outcome:
    """`wrong` says why a mutant is badly answered, "" if it isn't. `valid`: there is no error in it."""

    mutant: Mutant
    messages: list[Diagnostic] = field(default_factory=list)
    wrong: str = ""
    valid: bool = False


def judged(mutant: Mutant) -> Outcome:
    """What is said of a mutant."""
    try:
        messages = said(mutant.name, mutant.text)
        for one in messages:
            render(one)
    except Exception:
        return Outcome(mutant, wrong=traceback.format_exc())
    if len(messages) > MOST:
        return Outcome(mutant, messages, f"{len(messages)} messages")
    if any(_near(one, mutant) for one in messages):
        return Outcome(mutant, messages)
    if any(one.level == "error" for one in messages):
        return Outcome(mutant, messages, "no message points at the mistake")
    return Outcome(mutant, messages, "nothing is said" if mutant.kind.sure else "", valid=True)


def _near(message: Diagnostic, mutant: Mutant) -> bool:
    places = mutant.change.places(mutant.program)
    rows = {row + by for row in places for by in (-1, 0, 1)}
    return any(
        label.span.source.name == mutant.name
        and not rows.isdisjoint(range(label.span.line, label.span.end_line + 1))
        for label in message.labels
    )


def mutants(seed: int, kinds: list[Kind] | None = None) -> Iterator[Mutant]:
    """Mutants without end, each other than the program it is made from. The kinds take turns in a shuffled order."""
    random = Random(seed)
    programs = {name: Program(text) for name, text in FILES.items()}
    found = {
        kind.name: [(name, change) for name, program in programs.items() for change in kind.changes(program)]
        for kind in kinds or KINDS.values()
    }
    while True:
        for name in random.sample(sorted(found), len(found)):
            file, change = random.choice(found[name])
            mutant = Mutant(KINDS[name], file, programs[file], change)
            if mutant.text != mutant.program.text:
                yield mutant


@dataclass
class Run:
    """`count` mutants that are no valid programs, each once."""

    answered: list[Outcome] = field(default_factory=list)
    valid: list[Outcome] = field(default_factory=list)

    @property
    def failed(self) -> list[Outcome]:
        return [one for one in self.answered if one.wrong]


def run(seed: int, count: int, kinds: list[Kind] | None = None) -> Run:
    result = Run()
    known: set[tuple[str, str]] = set()
    tries = 0
    for mutant in mutants(seed, kinds):
        tries += 1
        if len(result.answered) == count or tries > 20 * count:
            return result
        if (mutant.name, mutant.text) in known:
            continue
        known.add((mutant.name, mutant.text))
        outcome = judged(mutant)
        (result.valid if outcome.valid and not outcome.wrong else result.answered).append(outcome)
    raise AssertionError("mutants have no end")


def table(result: Run) -> str:
    """How many of each kind."""
    made = Counter(one.mutant.kind.name for one in result.answered)
    valid = Counter(one.mutant.kind.name for one in result.valid)
    failed = Counter(one.mutant.kind.name for one in result.failed)
    width = max(len(name) for name in KINDS)
    rows = [f"{'kind':{width}}  mutants  failed  valid"]
    rows += [
        f"{name:{width}}  {made[name]:7}  {failed[name]:6}  {valid[name]:5}"
        for name in KINDS
        if made[name] or valid[name]
    ]
    return "\n".join(
        [*rows, f"{'all':{width}}  {len(result.answered):7}  {len(result.failed):6}  {len(result.valid):5}"]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/lang/textual/mutants/mutate.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--show", action="store_true", help="print what is said of each mutant")
    given = parser.parse_args()
    print(f"seed {given.seed}")
    result = run(given.seed, given.count, [KINDS[name] for name in given.kind] if given.kind else None)
    print(table(result))
    print(f"\n{len(result.valid)} valid programs:")
    for one in result.valid:
        print(f"  {one.mutant}")
    print(f"\n{len(result.failed)} failures:")
    for one in result.answered:
        if one.wrong or given.show:
            print(f"\n### {one.mutant}\n{one.wrong}")
            print("\n".join(render(message) for message in one.messages))
    return int(bool(result.failed))


if __name__ == "__main__":
    sys.exit(main())
