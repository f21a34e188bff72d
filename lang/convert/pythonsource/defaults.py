"""Finds defaults of parameters that Python can't evaluate at a function's definition.

They mention earlier parameters, or names that only a body has. Such a parameter is `None` by default, and the body
begins by filling it in.
"""

from __future__ import annotations

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import mentions

_OF_BODIES = frozenset(("this", "platform"))


def late(function: tree.Def) -> dict[tree.Parameter, tree.Expr]:
    """Return these parameters, each with its default."""
    out: dict[tree.Parameter, tree.Expr] = {}
    names = set(_OF_BODIES)
    for parameter in function.parameters:
        mentioned = (one.name for one in mentions([parameter.default]) if not one.called)
        if parameter.default is not None and not names.isdisjoint(mentioned):
            out[parameter] = parameter.default
        names.add(parameter.name.name)
    return out
