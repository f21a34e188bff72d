"""Declarations of a build module: params, targets, tests, functions, groups, modules (language spec, section 8)."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from attrs import evolve

from pybuild.lang.python import problems
from pybuild.lang.python.arguments import misfit
from pybuild.lang.python.bodies import Axes, body_of, captured, name_of, parameters_fit
from pybuild.lang.python.builder import StateBuilder
from pybuild.lang.python.calls import options
from pybuild.lang.python.expressions import Expression, State
from pybuild.lang.python.literals import literal, string
from pybuild.lang.python.names import valid
from pybuild.lang.python.params import Param, declare_param
from pybuild.lang.python.recording import here, recording, wrong
from pybuild.lang.python.states import StateFunction
from pybuild.lang.python.targets import Group, Module, Target
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.params import declared
from pybuild.lang.textual.problems import params as param_problems
from pybuild.lang.textual.types import PLATFORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pybuild.lang.source import Span

P = ParamSpec("P")
T = TypeVar("T")

Function = "Callable[Concatenate[StateBuilder, ...], None]"


@overload
def target(function: Callable[..., None], /) -> Target: ...
@overload
def target(
    *,
    name: str | None = None,
    default: bool = False,
    axes: Mapping[str, Sequence[object]] | None = None,
    where: Callable[..., bool] | None = None,
    on: Sequence[str] | None = None,
) -> Callable[[Callable[..., None]], Target]: ...
def target(
    function: Callable[..., None] | None = None,
    /,
    *,
    name: str | None = None,
    default: bool = False,
    axes: Mapping[str, Sequence[object]] | None = None,
    where: Callable[..., bool] | None = None,
    on: Sequence[str] | None = None,
) -> Target | Callable[[Callable[..., None]], Target]:
    """Declare a target: the function's statements make an image.

    The function is called with `t`, a `StateBuilder`, once for each instance and platform that is built. `axes` are
    the values of each axis, by the name of the argument that gets them; instances are all combinations for which
    `where`, called with the axes by name, is true. `on` are the target's platforms: several make one image index.
    With `default` it is what `pybuild build` builds. The target's doc is the function's docstring.
    """
    return _declared("target", function, name=name, default=default, axes=axes, where=where, on=on)


@overload
def test(function: Callable[..., None], /) -> Target: ...
@overload
def test(
    *,
    name: str | None = None,
    axes: Mapping[str, Sequence[object]] | None = None,
    where: Callable[..., bool] | None = None,
    on: Sequence[str] | None = None,
) -> Callable[[Callable[..., None]], Target]: ...
def test(
    function: Callable[..., None] | None = None,
    /,
    *,
    name: str | None = None,
    axes: Mapping[str, Sequence[object]] | None = None,
    where: Callable[..., bool] | None = None,
    on: Sequence[str] | None = None,
) -> Target | Callable[[Callable[..., None]], Target]:
    """Declare a test, which `pybuild test` runs: it succeeds if its statements do. Arguments are those of
    `target`."""
    return _declared("test", function, name=name, default=False, axes=axes, where=where, on=on)


def _declared(
    kind: str, function: Callable[..., None] | None, **options: Any
) -> Target | Callable[[Callable[..., None]], Target]:
    site = here()
    spans = {name: site.named(name) for name in ("axes", "on", "name", "where")} | {"call": site.span}

    def declare(function: Callable[..., None]) -> Target:
        return _declare(kind, function, spans, **options)

    return declare if function is None else declare(function)


def _declare(
    kind: str,
    function: Callable[..., None],
    spans: Mapping[str, Span],
    *,
    name: str | None,
    default: bool,
    axes: Mapping[str, Sequence[object]] | None,
    where: Callable[..., bool] | None,
    on: Sequence[str] | None,
) -> Target:
    at_work = recording(kind)
    span = name_of(function, spans["call"])
    called = name or function.__name__
    ident = valid(tree.Ident(span if name is None else spans["name"], called))
    matrix = Axes(axes or {}, where, spans["axes"])
    parameters_fit(function, called, list(matrix.values), span, kind)
    decl = tree.Target(
        span=span,
        kind=kind,
        name=ident,
        axes=matrix.expressions(),
        on=_platforms(on, spans["on"]),
        body=(),
        header=span,
        doc=inspect.getdoc(function) or "",
    )
    at_work.declare(decl, called)
    at_work.bodies[decl] = body_of(at_work, decl, function, matrix, captured(at_work, function, called))
    if default:
        at_work.declare(tree.Default(span, ident))
    return Target(called, at_work, decl, function)


def _platforms(on: Sequence[str] | None, span: Span) -> tuple[tree.Expr, ...]:
    platforms = [on] if isinstance(on, str) else on or ()
    return tuple(literal(one, span, PLATFORM) for one in platforms)


def step(
    function: Callable[Concatenate[StateBuilder, P], None],
) -> Callable[Concatenate[StateBuilder, P], None]:
    """Make a function that adds statements to the body that calls it: `tools(t, "git")`."""

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> None:
        site = here()
        if not args or not isinstance(args[0], StateBuilder):
            raise wrong(problems.step_needs_t(site.span, function.__name__))
        flaw = misfit(function, function.__name__, site)
        if flaw is not None:
            raise wrong(flaw)
        function(*args, **kwargs)

    return called


def state(function: Callable[Concatenate[StateBuilder, P], State | None]) -> Callable[P, State]:
    """Make a function that builds a state of its own, once for each list of arguments: `base("3.12")`.

    Its body is like a target's, and may end with `return` of another state.
    """
    at_work = recording("state")
    state_function: StateFunction[P] = StateFunction(at_work, function, name_of(function, here().span))
    return state_function


@overload
def param(name: str, *, choices: Sequence[str], default: str = ..., doc: str = "") -> str: ...
@overload
def param(
    name: str, type: type[str], *, choices: Sequence[str], default: str = ..., doc: str = ""
) -> str: ...
@overload
def param(name: str, type: type[T], *, default: T = ..., doc: str = "") -> T: ...
@overload
def param(name: str, *, default: str = ..., doc: str = "") -> str: ...
def param(
    name: str,
    type: Any = str,
    *,
    default: Any = ...,
    choices: Sequence[Any] | None = None,
    doc: str = "",
) -> Any:
    """Declare a param and return its value: that of `-p NAME=VALUE`, else the default. Without a default it must be
    set.

    `type` is `str`, `int`, `bool`, `pb.Path`, `pb.Ref`, `pb.Platform`, `pb.Version`, `pb.Size`, `pb.Duration`, or a
    `list[…]` or `dict[str, …]` of them. `choices` are the texts that are allowed.
    """
    return declare_param(recording("param"), Param(name, type, default, choices, doc), here())


def check(condition: object, message: str = "") -> None:
    """End the build with `message` (default: the condition as written) if the condition is false."""
    recording("check")
    if isinstance(condition, Expression):
        bool(condition)
    if not condition:
        raise wrong(param_problems.check_failed(here().positional(0), message, ()))


def group(name: str, members: Sequence[State | Group], *, doc: str = "") -> Group:
    """Give targets and tests a common name."""
    at_work, site = recording("group"), here()
    value = literal(members, site.positional(1))
    decl = tree.Group(site.span, valid(tree.Ident(site.positional(0), name)), value, doc)
    at_work.declare(decl, name)
    return Group(name, at_work, decl)


def default(of: Target | Group) -> None:
    """Set the target or group that `pybuild build` builds if none is named."""
    at_work, site = recording("default"), here()
    if not isinstance(of, Target | Group):
        raise wrong(problems.not_a_target(site.positional(0), type(of).__name__))
    at_work.declare(tree.Default(site.span, tree.Ident(site.positional(0), of.name)))


def ignore(*patterns: str) -> None:
    """Leave files out of `pb.context`, by patterns of `.dockerignore`."""
    at_work, site = recording("ignore"), here()
    expressions = tuple(literal(one, site.positional(at), plain=True) for at, one in enumerate(patterns))
    at_work.declare(tree.Ignore(site.span, expressions))


def use(module: str, *, as_: str | None = None, **params: object) -> Module:
    """Load a textual module: one of the standard library by its name (`pb.use("apt")`), else a file or an address as
    in `use "…"`.

    `params` are values of its params. Messages call it `as_` (default: the variable that it is assigned to).
    """
    at_work, site = recording("use"), here()
    span = site.positional(0)
    if module.endswith(".py"):
        raise wrong(problems.python_module(span, module))
    alias = as_ or _alias(site.assigned or module, {*at_work.declared})
    plain_name = module.isidentifier()
    named = tree.Use(
        site.span,
        tree.Ident(span, module) if plain_name else None,
        None if plain_name else string(module, span, plain=True),
        tree.Ident(span, alias) if not plain_name or alias != module else None,
        (),
    )
    members = at_work.members(named)
    types = {name: declared(one.type) for name, one in members.items() if isinstance(one, tree.Param)}
    at_work.declare(evolve(named, arguments=tuple(options(params, types, site))), alias)
    return Module(alias, module, members)


def _alias(module: str, taken: set[str]) -> str:
    """Make a free name for a module from its address."""
    word = module.rstrip("/").rpartition("/")[2].partition("#")[0].partition("@")[0].removesuffix(".pybuild")
    base = (
        "".join(char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in word) or "m"
    )
    base = f"_{base}" if base[0].isdigit() else base
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name
