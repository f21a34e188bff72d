"""Kinds of mistakes. Each is a function of a program that gives every change that would be one.

`sure` kinds give no valid program, whatever the place; of the others some are valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.lang.textual.mutants.pieces import Program


@dataclass(frozen=True)
class Change:
    """`text` takes the place of what is between two offsets. `rows` are more rows of the program in which the mistake
    shows: those that use a name which isn't declared any more."""

    start: int
    end: int
    text: str
    rows: tuple[int, ...] = ()

    def applied(self, program: Program) -> str:
        return program.text[: self.start] + self.text + program.text[self.end :]

    def places(self, program: Program) -> set[int]:
        """The rows of the mutant in which the mistake is; of a line with open brackets or a long string, all of them
        up to there."""
        first, last = program.row_of(self.start), program.row_of(self.end)
        moved = self.text.count("\n") - (last - first)
        rows = {row + moved if row > last else row for row in self.rows}
        return {*range(program.opened(self.start), last + moved + 1), *rows}


Changes = Callable[[Program], Iterator[Change]]


@dataclass(frozen=True)
class Kind:
    name: str
    changes: Changes
    sure: bool


KINDS: dict[str, Kind] = {}


def kind(name: str, *, sure: bool = True) -> Callable[[Changes], Changes]:
    """Adds a kind to `KINDS`."""

    def added(changes: Changes) -> Changes:
        assert name not in KINDS
        KINDS[name] = Kind(name, changes, sure)
        return changes

    return added


def misspelt(word: str) -> str:
    """The word with two letters exchanged, one doubled where that changes nothing."""
    at = len(word) // 2
    if at and word[at - 1] != word[at]:
        return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
    return word[:at] + word[at : at + 1] * 2 + word[at + 1 :]
