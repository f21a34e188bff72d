"""The recording of a body: its statements from top to bottom, each applied to the state of the one before.

Blocks and calls of steps are kept on an explicit stack. A statement that fails is reported, and the recording goes
on without it; if the rest depends on it (`let`), the body ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.budget import BudgetError
from pybuild.lang.textual.expand.frame import Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.bodies import Record
    from pybuild.lang.textual.expand.compilation import Compilation

Placed = tuple[tree.Stmt, Frame]
"""A statement and its scope."""

Handlers = Mapping[type[tree.Stmt], Callable[[Any, Frame, "Recorder"], None]]
"""The handlers of statements by kind."""


@frozen(eq=False)
class Block:
    """Statements that remain to be recorded, with the run options in force, outermost first. `call` marks the body
    of a step: the call ends with it."""

    rest: Iterator[Placed]
    options: tuple[recipe.Option, ...]
    call: bool = False


def placed(body: tuple[tree.Stmt, ...], frame: Frame) -> Iterator[Placed]:
    return ((statement, frame) for statement in body)


class Recorder:
    """The recorder of a body. `state` is the state after the statements so far, None before `from`."""

    __slots__ = ("_blocks", "_handlers", "body", "compilation", "notes", "state")

    def __init__(self, compilation: Compilation, record: Record, handlers: Handlers) -> None:
        self.compilation = compilation
        self.notes = record
        self.body = record.body
        self.state: recipe.State | None = None
        self._blocks: list[Block] = []
        self._handlers = handlers

    @property
    def options(self) -> tuple[recipe.Option, ...]:
        """The run options in force."""
        return self._blocks[-1].options if self._blocks else ()

    def record(self, body: tuple[tree.Stmt, ...], frame: Frame) -> None:
        self.open(placed(body, frame))
        while self._blocks:
            statement, scope = next(self._blocks[-1].rest, (None, frame))
            if statement is None:
                self._close()
                continue
            try:
                self.compilation.count(statement.span)
                self._handlers[type(statement)](statement, scope, self)
            except BudgetError:
                raise
            except SourceError as error:
                self._failed(statement, error)
        self.body.state = self.state

    def open(
        self, rest: Iterator[Placed], more: tuple[recipe.Option, ...] = (), *, call: bool = False
    ) -> None:
        """Push statements to be recorded next, with additional options."""
        self._blocks.append(Block(rest, in_force(self.options, more), call))

    def _close(self) -> None:
        if self._blocks.pop().call:
            self.compilation.budget.leave()

    def step(self, statement: recipe.Statement, span: Span, *, op: bool) -> None:
        """Add a statement. `op` says whether it makes an op, which counts."""
        if self.state is None:
            raise LookupError(f"{span.place}: there is no state yet")
        if op:
            self.compilation.budget.op(span)
        self.state = recipe.Step(span, self.state, statement, self.body)

    def finish(self, state: recipe.State) -> None:
        """End the body with a state."""
        self.state = state
        self._end()

    def _failed(self, statement: tree.Stmt, error: SourceError) -> None:
        if self.compilation.unset_in(self.notes, error):
            self._end()
            return
        self.compilation.report(error)
        if isinstance(statement, tree.From):
            # The statements that follow need some state.
            self.state = recipe.Scratch(statement.span)
        elif isinstance(statement, tree.Let | tree.Return):
            self._end()

    def _end(self) -> None:
        while self._blocks:
            self._close()


_STRICT = {"host": 0, "sandbox": 1, "none": 2}


def in_force(outer: tuple[recipe.Option, ...], inner: tuple[recipe.Option, ...]) -> tuple[recipe.Option, ...]:
    """Return the options in force in a nested block: all of them, but only the strictest network."""
    options = (*outer, *inner)
    networks = [one for one in options if isinstance(one, recipe.Network)]
    if len(networks) < 2:
        return options
    strictest = max(networks, key=lambda one: _STRICT.get(one.mode, 0))
    return (*(one for one in options if not isinstance(one, recipe.Network)), strictest)
