"""The nodes of names and text."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual.tree.expressions import Expr


@frozen(eq=False)
class Node:
    span: Span


@frozen(eq=False)
class Ident(Node):
    """A name where it is bound, or where it is part of the syntax (a member, the name of an argument)."""

    name: str


@frozen(eq=False)
class Variable(Node):
    """An unexpanded `$NAME` or `${NAME}` in a string.

    `text` is as written, `start` its offset in the value of its `Text`. `name` is "" for other text that looks
    like a variable (`${NAME:-x}`, `$(`)."""

    name: str
    text: str
    start: int


@frozen(eq=False)
class Text(Node):
    r"""A literal part of a string, escapes resolved. A dollar sign from `\\$` or from a raw string starts no
    variable."""

    value: str
    variables: tuple[Variable, ...] = ()


@frozen(eq=False)
class Interpolation(Node):
    """`${{ value }}`, with the braces."""

    value: Expr


@frozen(eq=False)
class ScriptText(Node):
    """A literal part of raw text: the source text without the block's indentation after each line end, and with
    `${{` for `$${{`."""

    value: str


@frozen(eq=False)
class Script(Node):
    r"""Raw text after `run`, or under `run:` and `write to …:`.

    A `block` ends with one newline, and its smallest indentation, `indent` columns, is removed. The text of a
    single line has no newline at its end. Lines that follow a `\\` line end lose `indent` columns: the statement's
    indentation, or less if they all have less."""

    parts: tuple[ScriptText | Interpolation, ...]
    block: bool
    indent: int = 0
