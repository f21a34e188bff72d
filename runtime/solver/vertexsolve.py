"""A vertex being solved, and the clients that wait for it."""

from __future__ import annotations

import threading

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar

    from pybuild.runtime.solver.loop import Task

    V = TypeVar("V")
    R = TypeVar("R")
else:
    from pybuild.runtime.solver.types import Generic

    V = R = None


class VertexSolve(Generic[V, R]):
    """A vertex being solved.

    `parts` are the solves of its inputs. `ran` tells results of this run from recorded ones, `span` is when the run
    began and ended. `adopted` holds, by output index, earlier results of the same content in place of its own.
    """

    __slots__ = ("adopted", "cancellation", "clients", "key", "parts", "ran", "span", "task", "vertex")

    def __init__(self, vertex: V) -> None:
        self.vertex = vertex
        self.cancellation = Cancellation()
        self.clients: set[Client] = set()
        self.parts: list[VertexSolve[V, R]] = []
        self.key: Task | None = None
        self.ran = False
        self.span = (0.0, 0.0)
        self.adopted: dict[int, R] = {}
        self.task: Task

    def check(self) -> None:
        """Raise Cancelled if a cancellation came during a call, which `Loop.throw` can't interrupt."""
        if self.cancellation.cancelled:
            raise Cancelled


class Client:
    """A call of `solve`, or a goal of `solve_each`. `ran` tells that one of its results had to be produced."""

    __slots__ = ("error", "finished", "ran", "results", "solves", "task")

    def __init__(self) -> None:
        self.task: Task
        self.solves: set[VertexSolve[object, object]] = set()
        self.finished = threading.Event()
        self.results: list[object] = []
        self.ran = False
        self.error: BaseException | None = None

    def seconds(self) -> float:
        """Return for how long any of its vertices ran: the length of the union of their spans."""
        total, reached = 0.0, 0.0
        for begin, end in sorted(solve.span for solve in self.solves):
            total += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return total
