"""`$X` in values: expanded against the image environment."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler.lower.recipe.problems import unset_variable
from pybuild.lang.recipe import Template, Variable
from pybuild.lang.source import Span


def expanded(template: Template, environment: Mapping[str, str], span: Span | None, *, whole: bool) -> str:
    """The text. What isn't in the environment stays as it is written if that isn't `whole`. Raises `SourceError`."""
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
