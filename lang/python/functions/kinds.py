"""Classifies Python values, to decide whether they can go into a container."""

from __future__ import annotations

import ast
import types

from pybuild.lang.python.functions.encoding import NotData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPING = ("typing", "types", "typing_extensions")


def is_own(module: str | None) -> bool:
    """True if a module is part of pybuild."""
    return (module or "").partition(".")[0] == "pybuild"


def is_own_value(value: object) -> bool:
    """True if a value or its class comes from pybuild."""
    return is_own(type(value).__module__) or (isinstance(value, type) and is_own(value.__module__))


def is_secret(value: object) -> bool:
    return is_own_value(value) and getattr(value, "is_secret", False) is True


def plain(value: object) -> object:
    """Return the plain data of a value of pybuild's, without what only a build module needs; other values
    unchanged."""
    if not is_own(type(value).__module__):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, list):
        return list(value)
    if isinstance(value, dict):
        return dict(value)
    return str(value) if type(value).__name__ == "Platform" else value


def described(value: object) -> str:
    """Return a few words for a kind of value, with an article."""
    import io

    kind = type(value)
    if is_secret(value):
        return "a secret"
    if is_own_value(value):
        what = getattr(kind, "what", None)
        return what if isinstance(what, str) else f"pybuild's `{kind.__qualname__}`"
    if isinstance(value, io.IOBase):
        return "an open file"
    if isinstance(value, types.FunctionType):
        return "a lambda" if value.__name__ == "<lambda>" else "a function"
    if isinstance(value, types.MethodType | types.MethodWrapperType):
        return "a method of an object"
    for other, text in _WORDS.items():
        if isinstance(value, other):
            return text
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"an object of the type {module}{kind.__qualname__}"


_WORDS: Mapping[type, str] = {
    type: "a class",
    types.ModuleType: "a module",
    types.GeneratorType: "a generator",
    types.CoroutineType: "a coroutine",
    types.AsyncGeneratorType: "an asynchronous generator",
    types.BuiltinFunctionType: "a function of C",
}


def is_definition(value: object, expression: ast.expr | None) -> bool:
    """True if a global that is no data can be made again from its statement.

    That is so if the result doesn't depend on when the statement runs. The items of a container must all be written
    out, since it may have been filled later.
    """
    if is_own_value(value):
        return False
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType) or type(value) is object:
        return True
    if type(value).__module__ in _TYPING or type(value).__qualname__ == "_lru_cache_wrapper":
        return True
    if type(value).__module__ == "logging":
        return type(value).__name__ in ("Logger", "RootLogger")
    if isinstance(value, dict):
        keys = expression.keys if isinstance(expression, ast.Dict) else ()
        return None not in keys and len(keys) == len(value) and all(map(_is_part, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        items = expression.elts if isinstance(expression, ast.List | ast.Tuple | ast.Set) else ()
        starred = any(isinstance(one, ast.Starred) for one in items)
        return not starred and len(items) == len(value) and all(map(_is_part, value))
    return False


def _is_part(value: object) -> bool:
    from pybuild.lang.python.functions.encoding import Encoder

    if is_definition(value, None):
        return True
    try:
        Encoder().encode(value)
    except NotData:
        return False
    return True
