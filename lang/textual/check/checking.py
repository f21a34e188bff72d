"""The check of one module: its position, the facts it has found, and the receiver of its messages."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.source import Span
    from pybuild.lang.textual import modules, tree
    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.scope import Binding, Constant
    from pybuild.lang.textual.types import Type

MOST_SUGGESTIONS: Final = 200
BODIES: Final = frozenset(("top", "target", "test", "step", "state", "value"))


class Checking:
    """The state of a module's check. `report` takes each message and passes it on once.

    The caller sets the position: `body` is one of `BODIES`, `top` in declarations, headers and defaults of
    parameters; `statement` is the word of the statement, "" in declarations.

    Facts for later passes: `types` and `constants` of expressions (the value, if it is known without params);
    `callees`, the signatures of calls (built-in functions, options and methods, and defs); `bindings`, the meaning
    of names and of members of modules (names of built-in values have none)."""

    __slots__ = (
        "_report",
        "_reported",
        "bindings",
        "body",
        "callees",
        "constants",
        "module",
        "refusals",
        "refused",
        "statement",
        "types",
    )

    def __init__(self, module: modules.Module | None, report: Callable[[Diagnostic], None]) -> None:
        self.module = module
        self._report = report
        self._reported: set[tuple[str | None, str, Span | None]] = set()
        self.body = "top"
        self.statement = ""
        self.types: dict[tree.Expr, Type] = {}
        self.constants: dict[tree.Expr, Constant] = {}
        self.callees: dict[tree.Call, Signature] = {}
        self.bindings: dict[tree.Expr, Binding] = {}
        self.refused: set[tree.Variable] = set()
        self.refusals = 0
        """The number of expressions of a type that isn't accepted at their place."""

    @property
    def patient(self) -> bool:
        """False once there are many messages: the search for a similar name is slow, and nobody reads that many."""
        return len(self._reported) < MOST_SUGGESTIONS

    def report(self, diagnostic: Diagnostic) -> None:
        key = (diagnostic.code, diagnostic.title, diagnostic.span)
        if key not in self._reported:
            self._reported.add(key)
            self._report(diagnostic)
