"""Text with parts to be filled in: values in scripts, variables in the values of `env`."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.source import Span


@frozen
class Splice:
    """A value in a script: a text or a list of texts. It is quoted for its place in the script, unless `raw`."""

    value: str | tuple[str, ...]
    raw: bool = False
    span: Span | None = field(default=None, eq=False, repr=False)


Script = tuple["str | Splice", ...]


@frozen
class Variable:
    """`$NAME` in a value, which expands to the image's environment variable; `text` is the reference as written."""

    name: str
    text: str
    span: Span | None = field(default=None, eq=False, repr=False)


Template = tuple["str | Variable", ...]
"""Literal text and variables, in order."""
