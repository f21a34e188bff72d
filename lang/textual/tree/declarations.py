"""The nodes of declarations and of the file."""

from __future__ import annotations

from attrs import frozen

from pybuild.lang.textual.tree.statements import Broken, Check, Let
from pybuild.lang.textual.tree.text import Ident, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Source, Span
    from pybuild.lang.textual.tree.expressions import Argument, Axis, Expr, String, Type
    from pybuild.lang.textual.tree.statements import Stmt


@frozen(eq=False)
class Use(Node):
    """`use NAME [as ALIAS] [with …]` sets `module`; `use "PATH" as ALIAS [with …]` sets `path`."""

    module: Ident | None
    path: String | None
    alias: Ident | None
    arguments: tuple[Argument, ...]


@frozen(eq=False)
class Param(Node):
    name: Ident
    type: Type
    default: Expr | None
    doc: str = ""


@frozen(eq=False)
class Ignore(Node):
    patterns: tuple[Expr, ...]


@frozen(eq=False)
class Group(Node):
    name: Ident
    value: Expr
    doc: str = ""


@frozen(eq=False)
class Default(Node):
    name: Ident


@frozen(eq=False)
class Parameter(Node):
    name: Ident
    type: Type
    default: Expr | None


@frozen(eq=False)
class Def(Node):
    """A function; `returns` None makes it a step. `header` is the span of everything before the body."""

    name: Ident
    parameters: tuple[Parameter, ...]
    returns: Type | None
    body: tuple[Stmt, ...]
    header: Span
    doc: str = ""


@frozen(eq=False)
class Target(Node):
    """`kind` is `target` or `test`. `header` is the span of everything before the body."""

    kind: str
    name: Ident
    axes: tuple[Axis, ...]
    on: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    header: Span
    doc: str = ""


Decl = Use | Param | Let | Check | Ignore | Group | Default | Def | Target | Broken


@frozen(eq=False)
class Comment(Node):
    """`text` includes the `#`. `own_line` is set if nothing else stands on the line."""

    text: str
    own_line: bool


@frozen(eq=False)
class Header(Node):
    """The `# syntax=` line: its value with the value's span, and the language edition that it selects."""

    reference: str
    edition: int


@frozen(eq=False)
class File(Node):
    """A whole file. `comments` are all comments in order, except for the header line."""

    source: Source
    header: Header | None
    decls: tuple[Decl, ...]
    comments: tuple[Comment, ...]
