"""The bodies of a compile: of each target instance, and of each call of a state function.

A reference to a body needs no recording of it: the statements are recorded later, from a worklist. So a chain of
targets of any length doesn't recurse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.frame import Definition, Frame
from pybuild.lang.textual.expand.matrix import Combination, Matrix, titled
from pybuild.lang.textual.expand.recorder import Recorder
from pybuild.lang.textual.expand.statements import STATEMENTS
from pybuild.lang.textual.expand.values import Value, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.compilation import Compilation
    from pybuild.lang.textual.expand.modulescope import ModuleScope
    from pybuild.lang.textual.expand.values import TargetValue


class Record:
    """A body and the effects of its statements other than its state.

    `unset` are required params without a value that it reads; with any of them the record is incomplete. `gates`
    are the goals of `needs`, None until they are resolved."""

    __slots__ = ("body", "gates", "needs", "outputs", "tags", "unset")

    def __init__(self, body: recipe.Body) -> None:
        self.body = body
        self.tags: list[recipe.Tag] = []
        self.outputs: list[recipe.Output] = []
        self.needs: list[tuple[TargetValue, Span]] = []
        self.gates: list[recipe.Goal] | None = None
        self.unset: list[str] = []


class Bodies:
    """All bodies of a compile, each created once per key of scope, declaration, arguments and platform."""

    __slots__ = ("_compilation", "_records", "_work", "by_body")

    def __init__(self, compilation: Compilation) -> None:
        self._compilation = compilation
        self._records: dict[Hashable, Record] = {}
        self._work: deque[Callable[[], None]] = deque()
        self.by_body: dict[recipe.Body, Record] = {}

    def of_instance(
        self, scope: ModuleScope, matrix: Matrix, combination: Combination, platform: str
    ) -> Record:
        """Return the record of a target instance for a platform."""
        target = matrix.target
        key = (scope, target, combination.texts, platform)
        record = self._records.get(key)
        if record is None:
            self._compilation.budget.instance(target.header)
            title = titled(scope.named(target.name.name), matrix.axes, combination)
            record = self._add(key, title, platform)
            names = dict(zip(matrix.axes, combination.values, strict=True))
            self._later(record, scope, target, names, target.header)
        return record

    def of_call(self, definition: Definition, arguments: Mapping[str, Value], platform: str) -> Record:
        """Return the record of a state function's call, by its arguments, for a platform."""
        scope = self._compilation.scope_of(definition.module)
        decl = definition.definition
        argument_keys = tuple((name, identity(value)) for name, value in arguments.items())
        key = (scope, decl, argument_keys, platform)
        record = self._records.get(key)
        if record is None:
            title = f"{scope.named(decl.name.name)}({'…' if decl.parameters else ''})"
            record = self._add(key, title, platform)
            self._later(record, scope, decl, arguments, decl.header)
        return record

    def _add(self, key: Hashable, title: str, platform: str) -> Record:
        elsewhere = platform != self._compilation.options.build_platform
        body = recipe.Body(f"{title} {platform}" if elsewhere else title, platform)
        record = self._records[key] = self.by_body[body] = Record(body)
        return record

    def _later(
        self,
        record: Record,
        scope: ModuleScope,
        decl: tree.Target | tree.Def,
        names: Mapping[str, Value],
        span: Span,
    ) -> None:
        def work() -> None:
            recorder = Recorder(self._compilation, record, STATEMENTS)
            frame = Frame(scope, record.body.platform, recorder, names)
            with self._compilation.budget.inside(record.body.title, span):
                recorder.record(self._body(scope, decl, names, record), frame)

        self._work.append(work)

    def _body(
        self, scope: ModuleScope, decl: tree.Target | tree.Def, names: Mapping[str, Value], record: Record
    ) -> tuple[tree.Stmt, ...]:
        """Return the statements of a body. A body that can't be recorded is reported and replaced by an empty
        state."""
        recorded = scope.module.recorded
        if recorded is None:
            return decl.body
        try:
            return recorded.body(decl, names, record.body.platform)
        except SourceError as error:
            self._compilation.report(error)
            return (tree.From(decl.span, tree.Name(decl.span, "scratch"), None, ()),)

    def record_all(self) -> None:
        """Record bodies until the worklist is empty."""
        while self._work:
            self._work.popleft()()
