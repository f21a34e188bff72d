"""Params of a build module: their declarations and values."""

from __future__ import annotations

from types import GenericAlias
from typing import get_args, get_origin

from attrs import frozen

from pybuild.lang.python import problems, quantities
from pybuild.lang.python.literals import literal, string
from pybuild.lang.python.names import valid
from pybuild.lang.python.recording import wrong
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.params import declared, from_text
from pybuild.lang.textual.problems import params as param_problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from pybuild.lang.python.callsite import Site
    from pybuild.lang.python.recording import Recording
    from pybuild.lang.source import Span

_Class = type

TYPES: Final[dict[object, str]] = {
    str: "str",
    int: "int",
    bool: "bool",
    quantities.Path: "path",
    quantities.Ref: "ref",
    quantities.Platform: "platform",
    quantities.Version: "version",
    quantities.Size: "size",
    quantities.Duration: "duration",
}
"""Types of params and their names in the language."""


@frozen(eq=False)
class Param:
    """The arguments of a `pb.param` call. `default` is `...` for a param that must be set."""

    name: str
    type: object
    default: object
    choices: Sequence[object] | None
    doc: str


def declare_param(recording: Recording, param: Param, site: Site) -> Any:
    """Declare the param and return its value. Raises SourceError (E0601, E0603, and errors of the default)."""
    type = _type(param, site)
    wanted = declared(type)
    default = None if param.default is ... else literal(param.default, site.named("default"), wanted)
    ident = valid(tree.Ident(site.positional(0), param.name))
    decl = tree.Param(site.span, ident, type, default, param.doc)
    recording.declare(decl, param.name)
    text = recording.options.params.get(param.name)
    if text is not None:
        value = from_text(decl, text)
    elif default is not None:
        value = recording.value(default, wanted)
    else:
        raise wrong(param_problems.unset(decl, site.span, None))
    recording.params[param.name] = value
    return quantities.from_value(value)


def _type(param: Param, site: Site) -> tree.Type:
    span = site.positional(1)
    if param.choices is not None:
        listed = isinstance(param.choices, list | tuple)
        if param.type is not str or not listed or not all(isinstance(one, str) for one in param.choices):
            raise wrong(problems.bad_choices(site.named("choices")))
        span = site.named("choices")
        return tree.TypeLits(span, tuple(string(str(one), span, plain=True) for one in param.choices))
    return _written(param.type, span)


def _written(type: object, span: Span) -> tree.Type:
    name = TYPES.get(type) if isinstance(type, _Class) else None
    if name is not None:
        return tree.TypeName(span, name)
    origin, arguments = get_origin(type), get_args(type)
    if isinstance(type, GenericAlias) and origin is list and len(arguments) == 1:
        return tree.TypeOf(span, tree.Ident(span, "list"), _written(arguments[0], span))
    if isinstance(type, GenericAlias) and origin is dict and len(arguments) == 2 and arguments[0] is str:
        return tree.TypeOf(span, tree.Ident(span, "map"), _written(arguments[1], span))
    shown = getattr(type, "__name__", None) if origin is None else str(type)
    raise wrong(problems.bad_type(span, str(shown or type)))
