"""A module with the params of one `use`: its declarations, each evaluated on its first read (language spec,
section 7)."""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, SourceError
from pybuild.lang.source import Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.check.cycles import NamedDeclaration, name_of
from pybuild.lang.textual.expand.checks import Checks
from pybuild.lang.textual.expand.evaluate import evaluate_all
from pybuild.lang.textual.expand.frame import DeferredValue, Frame
from pybuild.lang.textual.expand.params import ParamValue, declared, from_text
from pybuild.lang.textual.expand.values import Located, ModuleValue, TargetValue, Value, flatten
from pybuild.lang.textual.modules import Module
from pybuild.lang.textual.problems import params as problems
from pybuild.lang.textual.types import STR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pybuild.lang.recipe import ParamSetting
    from pybuild.lang.textual.expand.compilation import Compilation


class ParamUnset(SourceError):
    """A required param without a value (E0601), at the place of its first read."""

    def __init__(self, param: str, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic)
        self.param = param


class ModuleScope:
    """The scope of a module.

    `title` prefixes the names of its targets and functions, "" for the root file. `given` are params with textual
    values, which the root file has; `params` are the params that have been read. Values of `let`s are stored per
    platform that states are taken for."""

    __slots__ = (
        "_compilation",
        "_ignored",
        "_importer",
        "_scopes",
        "_unset",
        "_use",
        "_values",
        "checks",
        "decls",
        "given",
        "module",
        "params",
        "title",
    )

    def __init__(
        self,
        compilation: Compilation,
        module: Module,
        *,
        title: str = "",
        use: tree.Use | None = None,
        importer: ModuleScope | None = None,
        given: Mapping[str, ParamSetting] | None = None,
    ) -> None:
        self._compilation = compilation
        self.module = module
        self.title = title
        self._use = use
        self._importer = importer
        self.given = dict(given or {})
        self.decls: dict[str, tree.Decl] = {
            name_of(decl): decl for decl in module.file.decls if isinstance(decl, NamedDeclaration)
        }
        self.params: dict[str, ParamValue] = {}
        self._unset: dict[str, Diagnostic] = {}
        self._values: dict[tuple[str, str], Value] = {}
        self._scopes: dict[str, ModuleScope] = {}
        self._ignored: list[Located] | None = None
        self.checks = Checks(compilation, self)

    def named(self, name: str) -> str:
        """Return the qualified name of a declaration."""
        return f"{self.title}.{name}" if self.title else name

    def value(self, name: str, frame: Frame, span: Span) -> Value | DeferredValue | None:
        decl = self.decls.get(name)
        if isinstance(decl, tree.Param):
            return self._param(decl, frame, span)
        if isinstance(decl, tree.Let):
            return self._lasting(name, decl.value, frame)
        if isinstance(decl, tree.Group):
            return self._lasting(name, decl.value, frame, self._members)
        if isinstance(decl, tree.Target):
            return TargetValue(self, decl)
        if isinstance(decl, tree.Use):
            scope = self.used(name)
            return None if scope is None else ModuleValue(scope)
        return None

    def used(self, name: str) -> ModuleScope | None:
        """Return the module of a `use`, None if the name isn't one."""
        scope = self._scopes.get(name)
        if scope is None:
            decl, key = self.decls.get(name), self.module.uses.get(name)
            if not isinstance(decl, tree.Use) or key is None:
                return None
            scope = self._scopes[name] = self._compilation.scope(key, self.named(name), decl, self)
        return scope

    def top(self, frame: Frame) -> Frame:
        """Return a frame for the top level, for a use in `frame`."""
        return Frame(self, frame.taken_for)

    def _lasting(
        self, name: str, expr: tree.Expr, frame: Frame, make: Callable[[Value], Value] = lambda value: value
    ) -> Value | DeferredValue:
        key = (name, frame.taken_for)
        if key in self._values:
            return self._values[key]

        def finish(value: Value) -> Value:
            self._values[key] = stored = make(value)
            return stored

        return DeferredValue(expr, self.top(frame), None, finish)

    def _members(self, value: Value) -> Value:
        """Return the targets of a group, with those of nested groups: a flat list, as groups may be long chains."""
        span = self.module.file.span
        members = [located.value for located in flatten([Located(value, span)])]
        self._compilation.count(span, len(members) // 10)
        return tuple(members)

    # Params

    def _param(self, decl: tree.Param, frame: Frame, span: Span) -> Value | DeferredValue:
        name = decl.name.name
        if name in self.params:
            return self.params[name].value
        given = self.given.get(name)
        if given is not None:
            return self._keep(name, given.origin, frame)(from_text(decl, given))
        argument = self._argument(name)
        if argument is not None:
            assert self._importer is not None
            origin = f"`use`, line {argument.span.line}"
            return self._later(decl, argument.value, self._importer.top(frame), origin)
        if decl.default is None:
            used = self._use.span if self._use is not None else None
            # Every read raises the message of the first one, so that it is shown once.
            raise ParamUnset(name, self._unset.setdefault(name, problems.unset(decl, span, used)))
        return self._later(decl, decl.default, self.top(frame), f"default, line {decl.span.line}")

    def _argument(self, name: str) -> tree.Argument | None:
        """Return the argument that the `use` passes for a param."""
        arguments = self._use.arguments if self._use is not None else ()
        return next((one for one in arguments if one.name is not None and one.name.name == name), None)

    def _later(self, decl: tree.Param, expr: tree.Expr, frame: Frame, origin: str) -> DeferredValue:
        return DeferredValue(expr, frame, declared(decl.type), self._keep(decl.name.name, origin, frame))

    def _keep(self, name: str, origin: str, frame: Frame) -> Callable[[Value], Value]:
        def keep(value: Value) -> Value:
            self.params[name] = ParamValue(value, origin)
            self.checks.read(name, frame)
            return value

        return keep

    # Files

    def ignored(self) -> list[Located]:
        """Return the patterns of the module's `ignore` declarations, in order."""
        if self._ignored is None:
            frame = Frame(self, self._compilation.options.build_platform)
            exprs = [
                expr
                for decl in self.module.file.decls
                if isinstance(decl, tree.Ignore)
                for expr in decl.patterns
            ]
            self._ignored = evaluate_all(exprs, frame, self._compilation, STR)
        return self._ignored
