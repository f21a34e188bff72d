"""The check of one module's declarations: names, types and rules of the top level; bodies are in `statements`.

1. Bind every name, so the order of declarations doesn't matter.
2. Infer the types of lets and axes and check the defaults of params, each after the declarations it mentions.
3. Check each declaration, in order.
"""

from __future__ import annotations

from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.builtins import Parameter, Signature
from pybuild.lang.textual.check import words
from pybuild.lang.textual.check.annotations import resolve
from pybuild.lang.textual.check.axes import bind_axes
from pybuild.lang.textual.check.bodies import DEEPEST, too_deep
from pybuild.lang.textual.check.checking import Checking
from pybuild.lang.textual.check.cycles import name_of
from pybuild.lang.textual.check.exports import ModuleTypes
from pybuild.lang.textual.check.expressions import infer
from pybuild.lang.textual.check.named import named_arguments
from pybuild.lang.textual.check.scope import Binding, Scope, broken
from pybuild.lang.textual.check.statements import Statements
from pybuild.lang.textual.check.walk import mentions
from pybuild.lang.textual.check.wanted import Expectation
from pybuild.lang.textual.problems import declarations as problems
from pybuild.lang.textual.problems import flow, graph
from pybuild.lang.textual.problems.excerpt import excerpt
from pybuild.lang.textual.types import (
    BOOL,
    ERROR,
    OPTION,
    PLATFORM,
    STATE,
    STEP,
    STR,
    TARGET,
    ListOf,
    MapOf,
    Type,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pybuild.lang.diagnostics import Diagnostic

_Ordered = tree.Param | tree.Let | tree.Target


class Declarations:
    """The check of a module's file. `types` are the modules that it uses, by key.

    Afterwards, `locals` are the lets of bodies, `inner` the names bound in each body, and `refused` the bodies
    that were not checked."""

    __slots__ = (
        "bindings", "checking", "file", "headers", "inner", "locals", "module", "refused", "report", "scope", "types"
    )  # fmt: skip

    def __init__(
        self, module: modules.Module, types: Mapping[str, ModuleTypes], report: Callable[[Diagnostic], None]
    ) -> None:
        self.module = module
        self.file = module.file
        self.types = types
        self.checking = Checking(module, report)
        self.report = self.checking.report
        self.scope = Scope()
        self.bindings: dict[tree.Decl, Binding] = {}
        self.headers: dict[tree.Target, Scope] = {}
        self.locals: list[Binding] = []
        self.inner: dict[tree.Decl, dict[str, Binding]] = {}
        self.refused: set[tree.Decl] = set()

    def check(self) -> ModuleTypes:
        for decl in self.file.decls:
            self._bind(decl)
        for named in self._in_order():
            self._type(named)
        first: tree.Default | None = None
        for decl in self.file.decls:
            if isinstance(decl, tree.Default):
                self._default(decl, first)
                first = first or decl
            else:
                self._check(decl)
        return ModuleTypes(self.module.file.source.name, self.scope)

    # Names

    def _bind(self, decl: tree.Decl) -> None:
        binding = self._binding(decl)
        if binding is not None:
            self.bindings[decl] = binding
            self.scope.bind(binding, self.report)

    def _binding(self, decl: tree.Decl) -> Binding | None:
        if isinstance(decl, tree.Broken):
            return broken(decl.name.name, decl.name.span, decl) if decl.name is not None else None
        if isinstance(decl, tree.Use):
            ident = decl.alias or decl.module
            if ident is None:
                return None
            types = self.types.get(self.module.uses.get(ident.name, ""))
            return Binding(ident.name, "module", ERROR, ident.span, decl, module=types)
        if isinstance(decl, tree.Check | tree.Ignore | tree.Default):
            return None
        name, span = decl.name.name, decl.name.span
        if isinstance(decl, tree.Param):
            return Binding(name, "param", self._param_type(decl), span, decl)
        if isinstance(decl, tree.Let):
            return Binding(name, "let", ERROR, span, decl)
        if isinstance(decl, tree.Group):
            return Binding(name, "group", ListOf(TARGET), span, decl)
        if isinstance(decl, tree.Def):
            return Binding(name, "def", ERROR, span, decl, signature=self._signature(decl))
        return Binding(name, decl.kind, TARGET, span, decl)

    def _param_type(self, decl: tree.Param) -> Type:
        type = resolve(decl.type, self.checking)
        inner: Type = type
        while isinstance(inner, ListOf | MapOf):
            inner = inner.item
        if inner in (STATE, OPTION, TARGET):
            self.report(problems.param_type(decl.type.span, type))
            return ERROR
        return type

    def _signature(self, decl: tree.Def) -> Signature:
        parameters = tuple(
            Parameter(
                parameter.name.name,
                resolve(parameter.type, self.checking),
                None if parameter.default is None else excerpt(parameter.default.span) or "…",
            )
            for parameter in decl.parameters
        )
        returns = STEP if decl.returns is None else resolve(decl.returns, self.checking)
        return Signature(decl.name.name, "function", parameters, returns, decl.doc)

    # Types

    def _in_order(self) -> Iterator[_Ordered]:
        """Yield params, lets and targets, each after the declarations mentioned in its value or header, unless
        there is a cycle."""
        named: dict[str, _Ordered] = {}
        again = [
            one
            for one in self.file.decls
            if isinstance(one, _Ordered) and named.setdefault(name_of(one), one) is not one
        ]
        state: dict[str, bool] = {}
        for root in named:
            stack = [root]
            while stack:
                name = stack[-1]
                if name in state:
                    stack.pop()
                    if not state[name]:
                        state[name] = True
                        yield named[name]
                    continue
                state[name] = False
                decl = named[name]
                stack.extend(
                    one.name for one in mentions(_roots(decl)) if one.name in named and one.name not in state
                )
        yield from again

    def _type(self, decl: _Ordered) -> None:
        binding = self.bindings[decl]
        if isinstance(decl, tree.Param):
            refusals = self.checking.refusals
            if decl.default is not None:
                infer(decl.default, self.scope, self.checking, binding.type)
            if self.checking.refusals > refusals:
                binding.type = ERROR
            return
        if isinstance(decl, tree.Let):
            binding.type = infer(decl.value, self.scope, self.checking)
            binding.constant = self.checking.constants.get(decl.value)
            return
        scope = self.scope.child()
        binding.axes = bind_axes(decl.axes, scope, self.checking)
        self.headers[decl] = scope

    # Rules

    def _check(self, decl: tree.Decl) -> None:
        if isinstance(decl, tree.Use):
            self._use(decl)
        elif isinstance(decl, tree.Check):
            infer(decl.condition, self.scope, self.checking, Expectation(BOOL, what="a condition"))
            if decl.message is not None:
                infer(decl.message, self.scope, self.checking, Expectation(STR, what="the message"))
        elif isinstance(decl, tree.Ignore):
            for pattern in decl.patterns:
                infer(pattern, self.scope, self.checking, Expectation(STR, several=True, what="a pattern"))
        elif isinstance(decl, tree.Group):
            self._group(decl.value)
        elif isinstance(decl, tree.Def):
            self._def(decl)
        elif isinstance(decl, tree.Target):
            scope = self.headers[decl]
            for platform in decl.on:
                infer(platform, scope, self.checking, Expectation(PLATFORM, several=True, what="a platform"))
            self._body(decl, scope)

    def _use(self, decl: tree.Use) -> None:
        module = self.bindings[decl].module
        params = (
            {} if module is None else {b.name: b for b in module.scope.values.values() if b.kind == "param"}
        )
        shown = [name for name in params if not name.startswith("_")]
        if module is None:
            for argument in decl.arguments:
                infer(argument.value, self.scope, self.checking)
            return
        for argument in named_arguments(
            decl.arguments, shown, module.name, self.report, problems.unknown_param
        ):
            wanted = params.get(argument.name.name) if argument.name else None
            infer(argument.value, self.scope, self.checking, wanted.type if wanted is not None else None)

    def _group(self, value: tree.Expr) -> None:
        stack = [value]
        while stack:
            member = stack.pop()
            if isinstance(member, tree.List):
                stack.extend(reversed(member.items))
            else:
                infer(
                    member,
                    self.scope,
                    self.checking,
                    Expectation(TARGET, several=True, what="a member of a group"),
                )

    def _default(self, decl: tree.Default, first: tree.Default | None) -> None:
        if first is not None:
            self.report(graph.second_default(first.span, decl.span))
        name = decl.name.name
        binding = self.scope.values.get(name)
        if binding is not None and binding.kind in ("target", "test", "group", "broken"):
            binding.used = True
            return
        near = [one.name for one in self.scope.names("target", "test", "group")]
        other = binding or self.scope.callables.get(name)
        self.report(graph.no_such_target(decl.name, near, problems.kind_of(other) if other else ""))

    def _def(self, decl: tree.Def) -> None:
        binding = self.bindings[decl]
        signature = binding.signature
        scope = self.scope.child()
        for parameter, typed in zip(decl.parameters, signature.parameters if signature else (), strict=True):
            if parameter.default is not None:
                infer(parameter.default, scope, self.checking, typed.type)
            name = parameter.name
            scope.bind(Binding(name.name, "parameter", typed.type, name.span, parameter), self.report)
        self._body(decl, scope, signature.returns if signature else ERROR)

    def _body(self, decl: tree.Def | tree.Target, scope: Scope, returns: Type = ERROR) -> None:
        if self.module.recorded is not None:
            return
        self.body(decl, scope, returns)

    def body(self, decl: tree.Def | tree.Target, scope: Scope, returns: Type = ERROR) -> None:
        """Check the statements of a body, in the scope of its header."""
        deep = too_deep(decl.body)
        if deep is not None:
            self.report(flow.too_deep(words.word_span(deep), DEEPEST))
            self.refused.add(decl)
            return
        self.checking.body = words.STATE if words.starts_state(decl) else words.kind(decl)
        body = Statements(self.checking, scope, returns)
        body.check(decl.body)
        self.locals.extend(one for one in body.bound if one.kind == "let")
        self.inner[decl] = {one.name: one for one in (*scope.values.values(), *body.bound)}
        self.checking.body = "top"
        self.checking.statement = ""


def _roots(decl: _Ordered) -> list[tree.Node | None]:
    """Return the nodes that determine a declaration's type."""
    if isinstance(decl, tree.Param):
        return [decl.default]
    return [decl.value] if isinstance(decl, tree.Let) else [*decl.axes, *decl.on]
