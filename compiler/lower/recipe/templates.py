"""Expansion of `$X` in values with the image environment."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler.lower.recipe.problems import unset_variable
from pybuild.lang.recipe import Template, Variable
from pybuild.lang.source import Span


def expanded(template: Template, environment: Mapping[str, str], span: Span | None, *, whole: bool) -> str:
    """Expand a template. Raises `SourceError` for an undefined variable; if the environment isn't `whole`, it stays
    as written."""
    return "".join(
        piece if isinstance(piece, str) else _value(piece, environment, span, whole=whole)
        for piece in template
    )


def _value(variable: Variable, environment: Mapping[str, str], span: Span | None, *, whole: bool) -> str:
    value = environment.get(variable.name)
    if value is not None:
        return value
    if whole:
        raise unset_variable(variable, environment, span)
    return variable.text
