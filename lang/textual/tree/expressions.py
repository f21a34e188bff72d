"""The nodes of expressions and types."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual.tree.text import Ident, Interpolation, Node, Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span


@frozen(eq=False)
class Expr(Node):
    pass


@frozen(eq=False)
class Name(Expr):
    name: str


@frozen(eq=False)
class String(Expr):
    """A string literal. `parts` alternate as written; the empty string has none. `raw` marks `r"…"`."""

    parts: tuple[Text | Interpolation, ...]
    raw: bool = False


@frozen(eq=False)
class Number(Expr):
    """`kind` is `int`, `duration` (value in nanoseconds) or `size` (value in bytes)."""

    kind: str
    value: int


@frozen(eq=False)
class Bool(Expr):
    value: bool


@frozen(eq=False)
class List(Expr):
    items: tuple[Expr, ...]


@frozen(eq=False)
class Entry(Node):
    key: Expr
    value: Expr


@frozen(eq=False)
class Map(Expr):
    entries: tuple[Entry, ...]


@frozen(eq=False)
class AxisFor(Node):
    name: Ident
    values: Expr


@frozen(eq=False)
class AxisIf(Node):
    condition: Expr


Axis = AxisFor | AxisIf


@frozen(eq=False)
class ListComp(Expr):
    item: Expr
    axes: tuple[Axis, ...]


@frozen(eq=False)
class MapComp(Expr):
    entry: Entry
    axes: tuple[Axis, ...]


@frozen(eq=False)
class Ternary(Expr):
    then: Expr
    condition: Expr
    otherwise: Expr


@frozen(eq=False)
class Binary(Expr):
    """`op` is one of `or and == != < <= > >= in`, `not in`, `+ - * // %`; `op_span` is the operator's place."""

    op: str
    left: Expr
    right: Expr
    op_span: Span


@frozen(eq=False)
class Unary(Expr):
    """`op` is `not`, `-` or `+`."""

    op: str
    operand: Expr


@frozen(eq=False)
class Parens(Expr):
    """An expression in parentheses. They have no meaning, but the formatter keeps them."""

    value: Expr


@frozen(eq=False)
class Attribute(Expr):
    value: Expr
    name: Ident


@frozen(eq=False)
class Argument(Node):
    """An argument of a call, or an option or item of a statement. `name` is None if it is positional."""

    name: Ident | None
    value: Expr


@frozen(eq=False)
class Call(Expr):
    function: Expr
    arguments: tuple[Argument, ...]


@frozen(eq=False)
class Index(Expr):
    value: Expr
    index: Expr


@frozen(eq=False)
class Select(Expr):
    """`T[axis=value, …]`; every argument is named."""

    value: Expr
    arguments: tuple[Argument, ...]


@frozen(eq=False)
class TypeName(Node):
    name: str


@frozen(eq=False)
class TypeOf(Node):
    """`list[T]`, `map[T]`."""

    name: Ident
    argument: Type


@frozen(eq=False)
class TypeLits(Node):
    options: tuple[String, ...]


Type = TypeName | TypeOf | TypeLits
