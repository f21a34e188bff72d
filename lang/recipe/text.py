"""Text with what has to be put into it: values in scripts, variables in the values of `env`."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.source import Span


@frozen
class Splice:
    """A value in a script: a text or a list of texts, quoted for the place it stands in, unless `raw`."""

    value: str | tuple[str, ...]
    raw: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


Script = tuple["str | Splice", ...]


@frozen
class Variable:
    """`$NAME` in a value that expands against the image environment; `text` is how it is written."""

    name: str
    text: str
    span: Span | None = field(default=None, eq=False, repr=False)


Template = tuple["str | Variable", ...]
"""Literal pieces and variables."""
