"""The state of one compile, shared by its evaluations, and the services that they use (`frame.Compilation`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NoReturn

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceError, SourceErrors
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.expand import definitions
from pybuild.lang.textual.expand.bodies import Bodies, Record
from pybuild.lang.textual.expand.budget import Budget, BudgetError
from pybuild.lang.textual.expand.frame import DeferredValue, Definition, Frame, ModuleInstance
from pybuild.lang.textual.expand.goals import Goals
from pybuild.lang.textual.expand.lookups import Lookups
from pybuild.lang.textual.expand.modulescope import ModuleScope, ParamUnset
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions, World
from pybuild.lang.textual.expand.params import as_text
from pybuild.lang.textual.expand.values import Choice, TargetValue, Value
from pybuild.lang.textual.trivia import allowed
from pybuild.lang.textual.types import STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


class Compilation:
    """The state of a compile. `reads` are digests of the files read; `due` are the checks that are to run."""

    def __init__(self, program: modules.Program, options: ExpandOptions, world: World) -> None:
        self.program = program
        self.options = options
        self.world = world
        self.reads: dict[str, str] = {}
        self.vcs_reads: dict[str, str] = {}
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.due: deque[Callable[[], None]] = deque()
        self.budget = Budget()
        self.bodies = Bodies(self)
        self.goals = Goals(self)
        self.lookups = Lookups(self)
        self._running = False
        self._shared: dict[str, ModuleScope] = {}
        self.root = ModuleScope(self, program.root, given=options.params)

    # Modules and names

    def scope(self, key: str, title: str, use: tree.Use, importer: ModuleScope) -> ModuleScope:
        """Return the scope of the module that a `use` names, with its params. Uses without params share one scope."""
        if not use.arguments and key in self._shared:
            return self._shared[key]
        scope = ModuleScope(self, self.program.modules[key], title=title, use=use, importer=importer)
        if not use.arguments:
            self._shared[key] = scope
        self.budget.step(use.span)
        scope.checks.read("", Frame(scope, self.options.build_platform))
        return scope

    def scope_of(self, module: ModuleInstance) -> ModuleScope:
        assert isinstance(module, ModuleScope)
        return module

    def module_value(
        self, module: ModuleInstance, name: str, frame: Frame, span: Span
    ) -> Value | DeferredValue | None:
        return self.scope_of(module).value(name, frame, span)

    def definition(self, module: ModuleInstance, name: str) -> Definition | None:
        decl = self.scope_of(module).decls.get(name)
        return Definition(module, decl) if isinstance(decl, tree.Def) else None

    def context(self, module: ModuleInstance) -> recipe.State:
        return self.lookups.context(self.scope_of(module))

    def vcs(self, name: str) -> str | bool | int:
        value = self.world.vcs(name)
        self.vcs_reads[name] = as_text(value)
        return value

    # Budget

    def count(self, span: Span, steps: int = 1) -> None:
        self.budget.step(span, steps)

    def exceeded(self, what: str, span: Span) -> NoReturn:
        self.budget.exceeded(what, span)

    # Functions and targets

    def call(self, definition: Definition, arguments: Mapping[str, Value], frame: Frame, span: Span) -> Value:
        if definitions.gives(definition.definition) == STATE:
            record = self.bodies.of_call(definition, arguments, frame.taken_for)
            return recipe.Built(span, record.body)
        return definitions.value_of(definition, arguments, frame, span, self)

    def select(
        self, target: TargetValue, choices: tuple[Choice, ...], frame: Frame, span: Span
    ) -> TargetValue:
        return self.goals.select(target, choices, span)

    def state_of(self, target: TargetValue, frame: Frame, span: Span) -> recipe.State:
        return recipe.Built(span, self.goals.one(target, frame.taken_for, span).body)

    # Messages

    def report(self, error: SourceError) -> None:
        if isinstance(error, SourceErrors):
            self.errors += error.diagnostics
        else:
            self.errors.append(error.diagnostic)

    def warn(self, warning: Diagnostic, module: ModuleInstance) -> None:
        """Add a warning about a statement of a module, unless the line above allows it."""
        silent = allowed(module.module.file)
        if warning.span is None or warning.code not in silent.get(warning.span.line, ()):
            self.warnings.append(warning)

    def unset_in(self, record: Record, error: SourceError) -> bool:
        """Note an unset param, if a body may have one. Returns whether the error is of that kind.

        Only a build of all targets may read an unset param: it leaves such targets out."""
        if not isinstance(error, ParamUnset) or self.options.wanted != EVERYTHING:
            return False
        if error.param not in record.unset:
            record.unset.append(error.param)
        return True

    def run_due(self) -> None:
        """Run the checks that are due, unless they are being run already.

        A build of all targets ignores checks that read an unset param."""
        if self._running:
            return
        # An exceeded limit ends the compile, so it doesn't matter that this stays set then.
        self._running = True
        while self.due:
            try:
                self.due.popleft()()
            except BudgetError:
                raise
            except SourceError as error:
                if not isinstance(error, ParamUnset) or self.options.wanted != EVERYTHING:
                    self.report(error)
        self._running = False
