"""Makes calls of the language's built-in functions from the arguments of a Python function."""

from __future__ import annotations

from pybuild.lang.python.literals import literal
from pybuild.lang.python.recording import here
from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.types import Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pybuild.lang.python.callsite import Site


def call(name: str, positional: Iterable[object], named: Mapping[str, object], word: str = "") -> tree.Call:
    """Make a call of something built in; `word` is `option` for a run option. Named arguments that are None are left
    out."""
    site = here()
    table = builtins.OPTIONS if word == "option" else builtins.FUNCTIONS
    types = {one.name: one.type for one in table[name].parameters}
    order = [one.name for one in table[name].parameters]
    arguments = [
        tree.Argument(
            site.positional(at), None, literal(value, site.positional(at), types.get(_at(order, at)))
        )
        for at, value in enumerate(positional)
    ]
    arguments += options(named, types, site)
    return tree.Call(site.span, tree.Name(site.span, name), tuple(arguments))


def _at(names: list[str], place: int) -> str:
    return names[min(place, len(names) - 1)] if names else ""


def options(named: Mapping[str, object], types: Mapping[str, Type], site: Site) -> list[tree.Argument]:
    """Make named arguments, without those that are None."""
    out = []
    for name, value in named.items():
        if value is not None:
            span = site.named(name)
            expression = literal(value, span, types.get(name))
            out.append(tree.Argument(span, tree.Ident(site.keyword(name), name), expression))
    return out


def statement_options(word: str, named: Mapping[str, object], site: Site) -> tuple[tree.Argument, ...]:
    """Make the options of a statement, without those that are None."""
    return tuple(options(named, {one.name: one.type for one in builtins.STATEMENTS[word]}, site))
