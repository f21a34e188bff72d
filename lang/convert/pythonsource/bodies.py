"""Makes the rows of a body: its statements with the comments around them."""

from __future__ import annotations

import re
from itertools import pairwise

from pybuild.lang.textual.fmt.docs import STEP, WIDTH, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from pybuild.lang.convert.pythonsource.expressions import Expressions
    from pybuild.lang.convert.pythonsource.statements import Body
    from pybuild.lang.textual.fmt.lines import LogicalLine, Own

_TIGHT: Final = re.compile(r"#(?=[^\s#!:])")


def comment(text: str) -> str:
    """Return a comment with a space after its `#`."""
    return _TIGHT.sub("# ", text.rstrip(), count=1) if _TIGHT.match(text) else text.rstrip()


class Rows:
    """Collects rows of statements and comments."""

    __slots__ = ("_expressions", "rows")

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self.rows: list[str] = []

    def head(self, line: LogicalLine, rows: list[str]) -> None:
        """Add a line, with its comments and its changes of meaning above it or at its end."""
        margin = " " * line.depth * STEP
        differences, self._expressions.differences = self._expressions.differences, []
        self.rows += [f"{margin}# differs: {one}" for one in dict.fromkeys(differences)]
        self.rows += [margin + comment(one.text) for one in line.inner]
        if line.trailing:
            trailing = comment(line.trailing)
            whole = f"{rows[-1]}  {trailing}"
            if _ends_at_once(rows) and len(whole) <= WIDTH:
                rows = [*rows[:-1], whole]
            else:
                self.rows.append(margin + trailing)
        self.rows += rows

    def body(self, lines: Sequence[LogicalLine], body: Body) -> None:
        """Add the lines below the first one, which is the head."""
        for before, line in pairwise(lines):
            self._comments(before.below)
            goes_on = line.word in ("elif", "else")
            above = self._comments(line.above, tight=goes_on or before.opens, all_tight=goes_on)
            if line.blank and not goes_on and (above or not before.opens):
                self.rows.append("")
            self.head(line, self._line(line, body))
        if lines:
            self._comments(lines[-1].below)

    def _line(self, line: LogicalLine, body: Body) -> list[str]:
        indent = line.depth * STEP
        return (
            [" " * indent + "else:"] if line.node is None else render(body.head(line.node, line.word), indent)
        )

    def _comments(self, comments: Iterable[Own], *, tight: bool = False, all_tight: bool = False) -> bool:
        """Add comments in a body; with `tight` there is no blank row above the first. Return whether there are
        any."""
        any_comment = False
        for own in comments:
            if own.blank and not tight:
                self.rows.append("")
            tight = all_tight
            any_comment = True
            self.rows.append(" " * own.depth * STEP + comment(own.text))
        return any_comment


def _ends_at_once(rows: Sequence[str]) -> bool:
    """True if it is one row, decorators aside."""
    return all(row.startswith("@") for row in rows[:-1])
