"""What stands in a build module for something that is only known later: states, run options, targets, members of
textual modules. Each holds the expression of the language that it is.
"""

from __future__ import annotations

from typing import NoReturn

from pybuild.lang.python import problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual import tree


class Expression:
    """`what` names the kind of thing, with its article."""

    __slots__ = ("_node",)
    what = "a value that is known later"

    def __init__(self, node: tree.Expr) -> None:
        self._node = node

    @property
    def node(self) -> tree.Expr:
        """The expression of the language that it is."""
        return self._node

    def at(self, span: Span) -> tree.Expr:
        """The expression where it is used: what has a name is mentioned there, what was made elsewhere stays."""
        return self._node

    def _no_value(self) -> NoReturn:
        from pybuild.lang.python.recording import here, wrong

        raise wrong(problems.no_text(here().span, self.what, secret=self.is_secret))

    @property
    def is_secret(self) -> bool:
        return False

    def __str__(self) -> str:
        self._no_value()

    def __format__(self, spec: str) -> str:
        self._no_value()

    def __iter__(self) -> NoReturn:
        self._no_value()

    def __bool__(self) -> bool:
        self._no_value()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.node.span.place}>"


class State(Expression):
    """A file system with an image config: a source, a target, what a state function makes."""

    __slots__ = ()
    what = "a state"


class Option(Expression):
    """A run option: it goes into `t.using(…)`."""

    __slots__ = ("name",)
    what = "a run option"

    def __init__(self, node: tree.Expr, name: str) -> None:
        super().__init__(node)
        self.name = name

    @property
    def is_secret(self) -> bool:
        return self.name == "secret"
