"""The conditions of a module's `check` declarations, each evaluated once (language spec, section 7).

A top-level check runs when a param that it mentions is first read, directly or through the `let`s and functions of
its own module. A check without params runs when its module is first used. Checks that become due during a check
wait until it is done, so chains of params and checks don't recurse.
"""

from __future__ import annotations

from collections import deque

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import mentions
from pybuild.lang.textual.expand.evaluate import evaluate
from pybuild.lang.textual.expand.frame import Frame
from pybuild.lang.textual.expand.params import written
from pybuild.lang.textual.expand.values import text_of
from pybuild.lang.textual.problems import params as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope


class Checks:
    """The pending top-level checks of a module, by the params that they mention."""

    __slots__ = ("_compilation", "_mentioned", "_scope", "_waiting")

    def __init__(self, compilation: Compilation, scope: ModuleScope) -> None:
        self._compilation = compilation
        self._scope = scope
        self._waiting: dict[str, list[tree.Check]] = {}
        self._mentioned: dict[tree.Check, list[str]] = {}
        for decl in scope.module.file.decls:
            if isinstance(decl, tree.Check):
                names = self._mentioned[decl] = list(params_of(decl.condition, scope))
                for name in names or [""]:
                    self._waiting.setdefault(name, []).append(decl)

    def read(self, param: str, frame: Frame) -> None:
        """Queue and run the checks for the first read of a param, "" for the first use of the module."""
        for check in self._waiting.pop(param, ()):
            names = self._mentioned.pop(check, None)
            if names is not None:
                self._compilation.due.append(lambda check=check, names=names: self._run(check, names, frame))  # type: ignore[misc]
        self._compilation.run_due()

    def _run(self, check: tree.Check, names: list[str], frame: Frame) -> None:
        top = self._scope.top(frame)
        run(check, top, self._compilation, names)


def run(check: tree.Check, frame: Frame, compilation: Compilation, params: list[str]) -> None:
    """Evaluate a check, and report E0602 if the condition is false. `params` are the names that it mentions."""
    if evaluate(check.condition, frame, compilation):
        return
    message = ""
    if check.message is not None:
        message = text_of(evaluate(check.message, frame, compilation))
    values = shown(params, frame, compilation.scope_of(frame.module))
    compilation.report(SourceError(problems.check_failed(check.condition.span, message, values)))


def shown(names: Iterable[str], frame: Frame, scope: ModuleScope) -> list[problems.Shown]:
    """Return the values of names, and of params that have been read, for a message."""
    values = []
    for name in names:
        value = frame.find(name)
        if value is not None:
            values.append(problems.Shown(name, problems.shortened(written(value))))
        elif name in scope.params:
            param = scope.params[name]
            text = problems.shortened(written(param.value))
            values.append(problems.Shown(name, text, source_of(param.origin)))
    return values


def source_of(origin: str) -> str:
    """Return the origin of a value, for a table of values."""
    return origin if origin.startswith(("default", "`use`")) else f"from {origin}"


def params_of(expr: tree.Node, scope: ModuleScope) -> Iterator[str]:
    """Yield the params of a module that an expression mentions, each once: first those in the expression, then
    those in its `let`s and functions, breadth first."""
    visited: set[str] = set()
    queue: deque[tree.Node] = deque([expr])
    while queue:
        for mention in mentions([queue.popleft()]):
            if mention.name in visited:
                continue
            decl = scope.decls.get(mention.name)
            if isinstance(decl, tree.Param):
                visited.add(mention.name)
                yield mention.name
            elif isinstance(decl, tree.Let):
                visited.add(mention.name)
                queue.append(decl.value)
            elif isinstance(decl, tree.Def) and mention.called:
                visited.add(mention.name)
                queue.extend((*decl.parameters, *decl.body))
