"""The nodes of statements."""

from __future__ import annotations

from typing import Protocol

from attrs import frozen

from pybuild.lang.textual.tree.text import Ident, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang import recipe
    from pybuild.lang.textual.tree.expressions import Argument, Expr, String
    from pybuild.lang.textual.tree.text import Script


@frozen(eq=False)
class Let(Node):
    """A `let`, as declaration or statement."""

    name: Ident
    value: Expr
    doc: str = ""


@frozen(eq=False)
class Check(Node):
    """A `check`, as declaration or statement."""

    condition: Expr
    message: Expr | None


@frozen(eq=False)
class Broken(Node):
    """A declaration or statement with a mistake that has been reported.

    `keyword` is its first word. `name` is the name it would bind, if that is clear, so that uses of the name are
    not reported as further mistakes."""

    keyword: str
    name: Ident | None = None
    body: tuple[Stmt, ...] = ()


@frozen(eq=False)
class From(Node):
    state: Expr
    on: Expr | None
    options: tuple[Argument, ...]


@frozen(eq=False)
class Run(Node):
    script: Script


@frozen(eq=False)
class Exec(Node):
    command: Expr


@frozen(eq=False)
class Copy(Node):
    sources: tuple[Expr, ...]
    state: Expr | None
    dest: Expr
    options: tuple[Argument, ...]


@frozen(eq=False)
class Write(Node):
    """A `write`. `text` is a Script in the block form."""

    text: Expr | Script
    dest: Expr
    options: tuple[Argument, ...]


@frozen(eq=False)
class Mkdir(Node):
    items: tuple[Argument, ...]


@frozen(eq=False)
class Remove(Node):
    items: tuple[Argument, ...]


@frozen(eq=False)
class Symlink(Node):
    """`symlink TO to LINK`."""

    to: Expr
    link: Expr
    options: tuple[Argument, ...]


@frozen(eq=False)
class Env(Node):
    """`env NAME = V, …`: every argument is named."""

    assignments: tuple[Argument, ...]


@frozen(eq=False)
class EnvMap(Node):
    value: Expr


@frozen(eq=False)
class Pair(Node):
    key: String
    value: Expr


@frozen(eq=False)
class Label(Node):
    """`keyword` is `label` or `annotation`."""

    keyword: str
    pairs: tuple[Pair, ...]


@frozen(eq=False)
class LabelMap(Node):
    keyword: str
    value: Expr


@frozen(eq=False)
class Simple(Node):
    """`keyword` is one of `workdir user expose volume entrypoint cmd shell stop_signal tag needs`."""

    keyword: str
    items: tuple[Argument, ...]


@frozen(eq=False)
class Output(Node):
    sources: tuple[Expr, ...]
    dest: Expr
    options: tuple[Argument, ...]


@frozen(eq=False)
class Healthcheck(Node):
    command: Expr
    options: tuple[Argument, ...]


@frozen(eq=False)
class Return(Node):
    value: Expr


@frozen(eq=False)
class CallStmt(Node):
    """A call as a statement, `mod.step(args)`. The checker requires that `call` is a call of a step."""

    call: Expr


@frozen(eq=False)
class Branch(Node):
    """The condition and body of an `if` or `elif`."""

    condition: Expr
    body: tuple[Stmt, ...]


@frozen(eq=False)
class If(Node):
    branches: tuple[Branch, ...]
    otherwise: tuple[Stmt, ...] | None


@frozen(eq=False)
class For(Node):
    name: Ident
    values: Expr
    body: tuple[Stmt, ...]


@frozen(eq=False)
class With(Node):
    """A `with` block. `options` are as written: a bracketed list is one `List`."""

    options: tuple[Expr, ...]
    body: tuple[Stmt, ...]


class ReadyStep(Protocol):
    """A recorded step without source text."""

    def statement(self, options: tuple[recipe.Option, ...]) -> recipe.Statement:
        """Return the statement for the run options in force. Raises SourceError."""

    def made(self, step: recipe.Step) -> None:
        """Receive the step that the statement became."""


@frozen(eq=False)
class Ready(Node):
    """A statement that a program recorded and that has no source text."""

    step: ReadyStep


Stmt = (
    Let
    | Check
    | From
    | Run
    | Exec
    | Copy
    | Write
    | Mkdir
    | Remove
    | Symlink
    | Env
    | EnvMap
    | Label
    | LabelMap
    | Simple
    | Output
    | Healthcheck
    | Return
    | CallStmt
    | If
    | For
    | With
    | Ready
    | Broken
)
