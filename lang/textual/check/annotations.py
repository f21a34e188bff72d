"""Type annotations."""

from __future__ import annotations

from pybuild.lang.diagnostics import suggest
from pybuild.lang.textual import tree
from pybuild.lang.textual.problems import names as problems
from pybuild.lang.textual.problems import types as type_problems
from pybuild.lang.textual.types import ERROR, NAMED, ListOf, Literals, MapOf, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.textual.check.checking import Checking

_OF: Final[dict[str, type[ListOf] | type[MapOf]]] = {"list": ListOf, "map": MapOf}
_OTHER_NAMES: Final = {
    "string": "str",
    "text": "str",
    "integer": "int",
    "number": "int",
    "boolean": "bool",
    "dict": "map",
    "array": "list",
    "image": "ref",
    "filesystem": "state",
}


def resolve(written: tree.Type, checking: Checking) -> Type:
    """Return the type that an annotation means. Reports an unknown type and returns ERROR for it."""
    around: list[type[ListOf] | type[MapOf]] = []
    while isinstance(written, tree.TypeOf):
        name = written.name
        if name.name not in _OF:
            checking.report(_unknown(name.name, name, list(_OF), [*_OF, *NAMED]))
            return ERROR
        around.append(_OF[name.name])
        written = written.argument
    result = _union(written, checking) if isinstance(written, tree.TypeLits) else _named(written, checking)
    if result == ERROR:
        return ERROR
    for of in reversed(around):
        result = of(result)
    return result


def _named(written: tree.TypeName, checking: Checking) -> Type:
    type = NAMED.get(written.name)
    if type is None and written.name in _OF:
        checking.report(type_problems.bare_collection(written.span, written.name))
    elif type is None:
        checking.report(_unknown(written.name, written, [*NAMED, *_OF], [*NAMED, "list[T]", "map[T]"]))
    return type or ERROR


def _unknown(name: str, place: tree.Node, candidates: list[str], known: list[str]) -> Diagnostic:
    near = _OTHER_NAMES.get(name.lower()) or suggest(name, candidates)
    return problems.unknown_type(name, place.span, near if near in candidates else None, known)


def _union(written: tree.TypeLits, checking: Checking) -> Type:
    options: list[str] = []
    for option in written.options:
        texts = [part.value for part in option.parts if isinstance(part, tree.Text)]
        if len(texts) != len(option.parts):
            checking.report(type_problems.option_not_plain(option.span))
            return ERROR
        options.append("".join(texts))
    return Literals(tuple(dict.fromkeys(options)))
