"""Targets, groups and modules, as objects that a build module holds in variables."""

from __future__ import annotations

from pybuild.lang.python import problems
from pybuild.lang.python.builder import StateBuilder, call_step
from pybuild.lang.python.expressions import Expression, State
from pybuild.lang.python.literals import literal
from pybuild.lang.python.recording import here, known_here, wrong
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.problems import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pybuild.lang.python.callsite import Site
    from pybuild.lang.python.recording import Recording
    from pybuild.lang.source import Span
    from pybuild.lang.textual.types import Type


class Target(State):
    """A target or a test.

    Called with values of its axes it is the instances that have them: `unit(py="3.12")`,
    `build(platform="linux/arm64")`.
    """

    __slots__ = ("_base", "_chosen", "decl", "function", "name", "recording", "selection")
    what = "a target"

    def __init__(
        self,
        name: str,
        recording: Recording | None = None,
        decl: tree.Target | None = None,
        function: Callable[..., object] | None = None,
        selection: tuple[tree.Argument, ...] = (),
        base: tree.Expr | None = None,
        chosen: Span | None = None,
    ) -> None:
        """Make a target. `decl` is its declaration in `recording`; both are None for one of a textual module.

        `chosen` is where the `selection` was made.
        """
        self.name = name
        self.recording = recording
        self.decl = decl
        self.function = function
        self.selection = selection
        self._base = base
        self._chosen = chosen

    @property
    def node(self) -> tree.Expr:
        return self.at(self._chosen or here().span)

    def at(self, span: Span) -> tree.Expr:
        if self.recording is not None and self.decl is not None:
            known_here(self.name, self.recording, self.decl, span)
        base = self._base if self._base is not None else tree.Name(span, self.name)
        return tree.Select(span, base, self.selection) if self.selection else base

    def __call__(self, *args: object, **axes: object) -> Target:
        """Select the instances whose axes have these values, in addition to earlier selections."""
        site = here()
        if args:
            raise wrong(problems.once_only(site.span, self.name))
        chosen = tuple(_argument(name, value, site) for name, value in axes.items())
        return Target(
            self.name,
            self.recording,
            self.decl,
            self.function,
            (*self.selection, *chosen),
            self._base,
            site.span,
        )

    def __repr__(self) -> str:
        return f"<target {self.name}>"


class Group(Expression):
    """Targets under a common name."""

    __slots__ = ("decl", "name", "recording")
    what = "a group"

    def __init__(self, name: str, recording: Recording, decl: tree.Group) -> None:
        self.name = name
        self.recording = recording
        self.decl = decl

    @property
    def node(self) -> tree.Expr:
        return self.at(here().span)

    def at(self, span: Span) -> tree.Expr:
        known_here(self.name, self.recording, self.decl, span)
        return tree.Name(span, self.name)

    def __repr__(self) -> str:
        return f"<group {self.name}>"


class Module:
    """A textual module: its functions, targets and values are attributes."""

    def __init__(self, alias: str, name: str, members: Mapping[str, tree.Decl]) -> None:
        self._alias = alias
        self._name = name
        self._members = members

    def __getattr__(self, name: str) -> Member:
        if name.startswith("__"):
            raise AttributeError(name)
        decl = self._members.get(name)
        if decl is None or name.startswith("_"):
            site = here()
            if decl is not None:
                raise wrong(names.private_name(name, site.span, self._name))
            known = [one for one in self._members if not one.startswith("_")]
            raise wrong(names.unknown_member(name, site.span, f"the module `{self._name}`", known))
        return Member(self._alias, name, decl)

    def __dir__(self) -> list[str]:
        return [name for name in self._members if not name.startswith("_")]

    def __repr__(self) -> str:
        return f"<module {self._name}>"


class Member(State):
    """A declaration of a textual module."""

    __slots__ = ("_alias", "_decl", "_name")
    what = "a member of a module"

    def __init__(self, alias: str, name: str, decl: tree.Decl) -> None:
        self._alias = alias
        self._name = name
        self._decl = decl

    @property
    def node(self) -> tree.Expr:
        return self.at(here().span)

    def at(self, span: Span) -> tree.Expr:
        return tree.Attribute(span, tree.Name(span, self._alias), tree.Ident(span, self._name))

    def __call__(self, *args: object, **named: object) -> State:
        """Call a function, with `t` as the first argument if it is a step; of a target, select instances by axes."""
        site = here()
        shown = f"{self._alias}.{self._name}"
        if isinstance(self._decl, tree.Target):
            return Target(shown, base=self.at(site.span))(*args, **named)
        first = args[0] if args and isinstance(args[0], StateBuilder) else None
        step = isinstance(self._decl, tree.Def) and self._decl.returns is None
        if step and first is None:
            raise wrong(problems.step_needs_t(site.span, shown))
        if first is not None and not step:
            raise wrong(problems.not_a_step(site.positional(0), shown, _kind(self._decl)))
        skip = int(first is not None)
        types = _types(self._decl)
        arguments = [
            tree.Argument(
                site.positional(at + skip), None, literal(one, site.positional(at + skip), types.get(str(at)))
            )
            for at, one in enumerate(args[skip:])
        ]
        arguments += [_argument(name, value, site, types) for name, value in named.items()]
        node = tree.Call(site.span, self.at(site.span), tuple(arguments))
        if first is not None:
            call_step(first, node)
        return State(node) if self._makes_state else Value(node)

    @property
    def _makes_state(self) -> bool:
        returns = self._decl.returns if isinstance(self._decl, tree.Def) else None
        return isinstance(returns, tree.TypeName) and returns.name == "state"


class Value(Member):
    """The result of a textual module's function that returns no state."""

    __slots__ = ()
    what = "a value of a module"

    def __init__(self, node: tree.Expr) -> None:
        self._node = node

    def at(self, span: Span) -> tree.Expr:
        return self._node

    def __call__(self, *args: object, **named: object) -> State:
        raise wrong(problems.not_a_step(here().span, self.what, "no function"))


def _types(decl: tree.Decl) -> dict[str, Type]:
    """Return the types of a function's parameters by name, and by position."""
    types: dict[str, Type] = {}
    for at, parameter in enumerate(decl.parameters if isinstance(decl, tree.Def) else ()):
        types[parameter.name.name] = types[str(at)] = declared(parameter.type)
    return types


def _argument(name: str, value: object, site: Site, types: Mapping[str, Type] | None = None) -> tree.Argument:
    span = site.named(name)
    wanted = (types or {}).get(name)
    return tree.Argument(span, tree.Ident(site.keyword(name), name), literal(value, span, wanted))


def _kind(decl: tree.Decl) -> str:
    if isinstance(decl, tree.Def):
        return "a function that returns a value"
    return "a param" if isinstance(decl, tree.Param) else "a value"
