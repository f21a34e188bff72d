"""Names and text."""

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
    """A name where it is bound, or where it is a word of the syntax (a member, the name of an argument)."""

    name: str


@frozen(eq=False)
class Variable(Node):
    """`$NAME` or `${NAME}` in a string, which nobody has expanded: `text` as written, at `start` of the value of its
    `Text`. `name` is empty for what looks like a variable and is none of the two forms (`${NAME:-x}`, `$(`)."""

    name: str
    text: str
    start: int


@frozen(eq=False)
class Text(Node):
    """A literal piece of a string with its escapes resolved. A dollar sign that is written `\\$`, or stands in a raw
    string, is no variable."""

    value: str
    variables: tuple[Variable, ...] = ()


@frozen(eq=False)
class Interpolation(Node):
    """`${{ value }}`, with the braces."""

    value: Expr


@frozen(eq=False)
class ScriptText(Node):
    """A literal piece of raw text: as in the source, but for the block's indentation after each line end, and for
    `$${{`, which is `${{`."""

    value: str


@frozen(eq=False)
class Script(Node):
    """Raw text after `run`, or under `run:` and `write to …:`. A `block`'s smallest indentation, `indent` columns, is
    removed, and it ends with one newline. A line has no newline at its end; `indent` columns are removed from the
    rows that its `\\` line ends take along, those of the statement or what all rows have."""

    parts: tuple[ScriptText | Interpolation, ...]
    block: bool
    indent: int = 0
