"""Stand-ins for values of a build module that are known later: states, run options, targets, members of textual
modules.

Each holds its expression of the language.
"""

from __future__ import annotations

from typing import NoReturn

from pybuild.lang.python import problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Span
    from pybuild.lang.textual import tree


class Expression:
    """A value that is known later. `what` names its kind in messages, with an article."""

    __slots__ = ("_node",)
    what = "a value that is known later"

    def __init__(self, node: tree.Expr) -> None:
        self._node = node

    @property
    def node(self) -> tree.Expr:
        """The expression of the language."""
        return self._node

    def at(self, span: Span) -> tree.Expr:
        """Return the expression for a use at `span`. Subclasses with a name refer to it there; others keep their own
        place."""
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
    """A file system with an image config: a source, a target, or the result of a state function."""

    __slots__ = ()
    what = "a state"


class Option(Expression):
    """A run option, for `t.using(…)`."""

    __slots__ = ("name",)
    what = "a run option"

    def __init__(self, node: tree.Expr, name: str) -> None:
        super().__init__(node)
        self.name = name

    @property
    def is_secret(self) -> bool:
        return self.name == "secret"
