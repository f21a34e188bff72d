"""Limits on the work of one compile (language spec, section 7), and the open calls, for messages about exceeding
them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import NoReturn

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual.problems import expansion as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from pybuild.lang.source import Span

STEPS: Final = 1_000_000
OPS: Final = 200_000
INSTANCES: Final = 10_000
DEPTH: Final = 64


class BudgetError(SourceError):
    """An exceeded limit (E0703), which ends the compile."""


class Budget:
    """The work done so far. `path` are the open calls, outermost first, each with the place of the call."""

    __slots__ = ("instances", "ops", "path", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.ops = 0
        self.instances = 0
        self.path: list[tuple[str, Span | None]] = []

    def step(self, span: Span, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > STEPS:
            self.exceeded(f"this takes more than {STEPS:,} steps", span)

    def op(self, span: Span) -> None:
        self.ops += 1
        if self.ops > OPS:
            self.exceeded(f"the build has more than {OPS:,} ops", span)

    def instance(self, span: Span) -> None:
        self.instances += 1
        if self.instances > INSTANCES:
            self.exceeded(f"the build has more than {INSTANCES:,} target instances", span)

    def matrix(self, size: int, span: Span) -> None:
        """Check the number of instances of one header."""
        if size > INSTANCES:
            self.exceeded(f"a matrix has more than {INSTANCES:,} instances", span)

    def enter(self, name: str, span: Span | None) -> None:
        """Open a call, which `leave` closes."""
        if len(self.path) >= DEPTH and span is not None:
            self.exceeded(f"calls are more than {DEPTH} deep", span)
        self.path.append((name, span))

    def leave(self) -> None:
        self.path.pop()

    @contextmanager
    def inside(self, name: str, span: Span | None) -> Iterator[None]:
        self.enter(name, span)
        try:
            yield
        finally:
            self.leave()

    def exceeded(self, what: str, span: Span) -> NoReturn:
        raise BudgetError(problems.budget(what, span, self.path))
