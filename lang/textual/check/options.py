"""Mounts and other run options, wherever they are created: mount points, two mounts on one path, a secret that is
a file and a variable (E0514), ids and modes (E0515)."""

from __future__ import annotations

import posixpath

from pybuild.lang.textual import builtins, tree
from pybuild.lang.textual.check import values
from pybuild.lang.textual.problems import states as problems
from pybuild.lang.textual.types import ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from pybuild.lang.textual.builtins import Signature
    from pybuild.lang.textual.check.checking import Checking

_PATHS: Final = {"cache": "path", "bind": "at", "secret": "at", "ssh": "at", "tmpfs": "path"}
"""The parameter that is the mount point of an option."""


def built_in(call: tree.Call, checking: Checking) -> Signature | None:
    """Return the signature of a called built-in function, source or option, None for any other callee."""
    callee = checking.callees.get(call)
    if callee is None or callee is not (
        builtins.OPTIONS if callee.kind == "option" else builtins.FUNCTIONS
    ).get(callee.name):
        return None
    return callee


def argument(call: tree.Call, signature: Signature, name: str) -> tree.Expr | None:
    """Return the argument that a call passes for a parameter."""
    names = [parameter.name for parameter in signature.parameters]
    for at, passed in enumerate(call.arguments):
        parameter_name = (
            passed.name.name if passed.name is not None else names[at] if at < len(names) else None
        )
        if parameter_name == name:
            return passed.value
    return None


def check_option(call: tree.Call, signature: Signature, checking: Checking) -> None:
    """Check the rules of one option on its own."""
    at = argument(call, signature, _PATHS.get(signature.name, ""))
    if at is not None:
        path = checking.constants.get(at) if checking.types.get(at) != ERROR else None
        if isinstance(path, str) and not (path.startswith("/") and posixpath.normpath(path).strip("/")):
            checking.report(problems.bad_mount_path(at.span, path, literal=isinstance(at, tree.String)))
        env = argument(call, signature, "env") if signature.name == "secret" else None
        if env is not None and checking.constants.get(env) != "" and path != "":
            checking.report(problems.secret_twice(env.span, at.span))
    for name, what in (("uid", "user id"), ("gid", "group id")):
        value = argument(call, signature, name)
        if value is not None:
            values.identity(value, what, checking)
    bits = argument(call, signature, "mode")
    if bits is not None and signature.name != "network":
        values.mode(bits, checking)


def check_with(options: Sequence[tree.Expr], checking: Checking) -> None:
    """Report two mounts of one `with` on one path."""
    seen: dict[str, tree.Call] = {}
    for call in _calls(options):
        signature = built_in(call, checking)
        if signature is None or signature.kind != "option":
            continue
        path = _mounted_at(call, signature, checking)
        if path is None:
            continue
        path = posixpath.normpath(path)
        if path in seen:
            checking.report(problems.two_mounts(call.span, seen[path].span, path))
        else:
            seen[path] = call


def _calls(options: Sequence[tree.Expr]) -> Iterator[tree.Call]:
    stack = list(reversed(options))
    while stack:
        expr = stack.pop()
        if isinstance(expr, tree.Call):
            yield expr
        elif isinstance(expr, tree.List):
            stack.extend(reversed(expr.items))
        elif isinstance(expr, tree.Parens):
            stack.append(expr.value)


def _mounted_at(call: tree.Call, signature: Signature, checking: Checking) -> str | None:
    """Return the absolute mount point of an option if it is known."""
    name = _PATHS.get(signature.name)
    if name is None:
        return None
    at = argument(call, signature, name)
    if at is not None:
        path = checking.constants.get(at)
        return path if isinstance(path, str) and path.startswith("/") else None
    if signature.name == "secret" and argument(call, signature, "env") is None:
        id = argument(call, signature, "id")
        text = checking.constants.get(id) if id is not None else None
        return f"/run/secrets/{text}" if isinstance(text, str) and text else None
    return None
