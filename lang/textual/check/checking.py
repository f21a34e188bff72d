"""The check of one module: where it stands, what it has found out, and where messages go."""

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
    """`report` takes each message, and passes it on once.

    Its user sets where the check stands: `body` is one of `BODIES`, `top` for declarations, headers and defaults of
    parameters; `statement` is the word of the statement, "" in declarations.

    What is found out, for later passes: `types` and `constants` of expressions (the value where it is known without
    params), the signature that a call has (`callees`, of built-in functions, options and methods and of defs), and
    what a name or a member of a module means (`bindings`; names of built-in values have none).
    """

    __slots__ = (
        "_report",
        "_said",
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
        self._said: set[tuple[str | None, str, Span | None]] = set()
        self.body = "top"
        self.statement = ""
        self.types: dict[tree.Expr, Type] = {}
        self.constants: dict[tree.Expr, Constant] = {}
        self.callees: dict[tree.Call, Signature] = {}
        self.bindings: dict[tree.Expr, Binding] = {}
        self.refused: set[tree.Variable] = set()
        self.refusals = 0
        """Expressions that were of no type that goes where they stand."""

    @property
    def patient(self) -> bool:
        """Whether it is worth to look for a name that is meant: not after so many messages that none is read."""
        return len(self._said) < MOST_SUGGESTIONS

    def report(self, diagnostic: Diagnostic) -> None:
        said = (diagnostic.code, diagnostic.title, diagnostic.span)
        if said not in self._said:
            self._said.add(said)
            self._report(diagnostic)
