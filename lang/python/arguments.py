"""Reports arguments that a function of the API, a step or a state function doesn't take, in the language's messages.

Python's own message tells neither the place in the call nor what was meant.
"""

from __future__ import annotations

import ast
import inspect
from types import ModuleType

from pybuild.lang.textual.problems import calls as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import FrameType

    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.python.callsite import Site


def misfit(function: Callable[..., object], name: str, site: Site, skipped: int = 0) -> Diagnostic | None:
    """Return what is wrong with the arguments written at `site` (E0401 to E0404).

    The result is None if nothing is, or if that can't be told, as with unpacked arguments. The caller passes the
    first `skipped` arguments itself.
    """
    call = site.call
    if call is None or _unpacks(call):
        return None
    parameters = list(inspect.signature(function).parameters.values())[skipped:]
    named = [one.arg for one in call.keywords if one.arg is not None]
    return _unknown(parameters, named, name, site) or _misplaced(parameters, call, named, name, site)


def _unpacks(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in call.args) or any(
        one.arg is None for one in call.keywords
    )


def _unknown(
    parameters: list[inspect.Parameter], named: list[str], name: str, site: Site
) -> Diagnostic | None:
    if any(one.kind == one.VAR_KEYWORD for one in parameters):
        return None
    taken = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    wrong = next((one for one in named if one not in taken), None)
    return None if wrong is None else problems.unknown_argument(wrong, site.keyword(wrong), name, taken)


def _misplaced(
    parameters: list[inspect.Parameter], call: ast.Call, named: Collection[str], name: str, site: Site
) -> Diagnostic | None:
    """Report too many arguments, too few, or one that is passed twice."""
    places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    count, most = len(call.args), len(places)
    many = any(one.kind == one.VAR_POSITIONAL for one in parameters)
    twice = next((at for at, one in enumerate(places[:count]) if one.name in named), None)
    if twice is not None:
        word = places[twice].name
        return problems.given_twice(word, site.keyword(word), site.positional(twice))
    missing = [
        one.name
        for at, one in enumerate(parameters)
        if one.default is one.empty
        and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        and one.name not in named
        and not (one in places and at < count)
    ]
    if count > most and not many:
        return problems.too_many(site.positional(most), name, most, _usage(name, parameters))
    return problems.missing_arguments(site.span, name, missing, _usage(name, parameters)) if missing else None


def _usage(name: str, parameters: list[inspect.Parameter]) -> str:
    """Return how a call is written, without optional arguments."""
    words = []
    for parameter in parameters:
        if parameter.kind == parameter.VAR_POSITIONAL:
            words.append("…")
        elif parameter.default is parameter.empty and parameter.kind != parameter.VAR_KEYWORD:
            words.append(
                f"{parameter.name}=…"
                if parameter.kind == parameter.KEYWORD_ONLY
                else parameter.name.rstrip("_")
            )
    return f"{name}({', '.join(words)})"


def called(site: Site, frame: FrameType) -> Callable[..., object] | None:
    """Return the function of the API that a frame calls at `site`; None for any other. Runs no user code."""
    function = _value(site.call.func, frame) if site.call is not None else None
    own = getattr(function, "__module__", None)
    if callable(function) and isinstance(own, str) and own.startswith("pybuild."):
        return function if inspect.isfunction(function) else None
    return None


def _value(node: ast.expr, frame: FrameType) -> object:
    """Look up a name or a member of the API in a frame; None for any other expression."""
    from pybuild.lang.python.builder import StateBuilder

    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if not isinstance(node, ast.Attribute):
        return None
    base = _value(node.value, frame)
    if isinstance(base, StateBuilder):
        method = getattr(StateBuilder, node.attr, None)
        return method
    if isinstance(base, ModuleType) and base.__name__ == "pybuild":
        return getattr(base, node.attr, None)
    return None
