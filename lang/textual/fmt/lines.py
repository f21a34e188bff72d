"""The logical lines of a file in order, each with the comments around it and the blank rows above.

A comment on a row of its own belongs to the next logical line, or to the end of a block if it is indented like the
block's statements: the innermost block whose opening line it is deeper than.
"""

from __future__ import annotations

from itertools import pairwise

from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.remarks import end, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.lang.source import Source, Span
    from pybuild.lang.textual.fmt.remarks import Place


class Own:
    """A comment on a row of its own at `depth`. `blank` says that the row above is blank, `indented` that the
    comment doesn't start in the first column."""

    __slots__ = ("blank", "depth", "indented", "line", "text")

    def __init__(self, comment: tree.Comment, depth: int) -> None:
        self.text = comment.text.rstrip()
        self.line = comment.span.line
        self.indented = comment.span.column > 1
        self.blank = blank_above(comment.span)
        self.depth = depth


class LogicalLine:
    """A statement without a block, or the header of a block.

    `node` is a statement, a declaration, a branch, or None for `else`; `word` is the first word of a branch.
    `stop` is the end of the text without raw text."""

    __slots__ = (
        "above",
        "below",
        "blank",
        "depth",
        "inner",
        "node",
        "opens",
        "start",
        "stop",
        "trailing",
        "word",
    )

    def __init__(self, node: tree.Node | None, word: str, depth: int, begin: Place, stop: Place) -> None:
        self.node = node
        self.word = word
        self.depth = depth
        self.start = begin
        self.stop = stop
        self.blank = False
        self.opens = False
        """True if a block follows."""
        self.above: list[Own] = []
        self.inner: list[tree.Comment] = []
        """Comments inside the line's brackets."""
        self.trailing = ""
        self.below: list[Own] = []
        """Comments at the ends of the blocks that end after this line."""

    @property
    def script(self) -> tree.Script | None:
        if isinstance(self.node, tree.Run):
            return self.node.script
        if isinstance(self.node, tree.Write) and isinstance(self.node.text, tree.Script):
            return self.node.text
        return None

    @property
    def last(self) -> int:
        """The last row of the line."""
        return self.script.span.end_line if self.script is not None else self.stop[0]


def blank_above(span: Span) -> bool:
    return span.line > 1 and not span.source.line(span.line - 1).strip()


def logical_lines(file: tree.File) -> tuple[list[LogicalLine], list[Own]]:
    """Return the lines, and the comments below the last one that belong to no block."""
    lines = list(_lines(file))
    for line, following in pairwise(lines):
        line.opens = following.depth > line.depth
    for line in lines:
        line.blank = line.start[0] > 1 and not file.source.line(line.start[0] - 1).strip()
    return lines, _Placing(lines).place(file.comments)


def _lines(file: tree.File) -> Iterator[LogicalLine]:
    waiting: list[tuple[tree.Node | None, str, int]] = [(decl, "", 0) for decl in reversed(file.decls)]
    last = 0
    while waiting:
        node, word, depth = waiting.pop()
        if isinstance(node, tree.If):
            if node.otherwise is not None:
                waiting += [(one, "", depth + 1) for one in reversed(node.otherwise)]
                waiting.append((None, "else", depth))
            words = ("if", *("elif" for _ in node.branches[1:]))
            waiting += reversed([(one, word, depth) for one, word in zip(node.branches, words, strict=True)])
            continue
        line = _else(file.source, last, depth) if node is None else _line(node, word, depth)
        last = line.last
        yield line
        waiting += [(one, "", depth + 1) for one in reversed(getattr(node, "body", ()))]


def _line(node: tree.Node, word: str, depth: int) -> LogicalLine:
    return LogicalLine(node, word, depth, start(node.span), end(_head(node)))


def _head(node: tree.Node) -> Span:
    """Return a span that ends where a block's header ends before its `:`, or where a whole statement ends."""
    if isinstance(node, tree.Target | tree.Def):
        return node.header
    if isinstance(node, tree.Branch):
        return node.condition.span
    if isinstance(node, tree.For):
        return node.values.span
    if isinstance(node, tree.With):
        return node.options[-1].span
    if isinstance(node, tree.Write) and isinstance(node.text, tree.Script):
        return (node.options or (node.dest,))[-1].span
    return node.span


def _else(source: Source, last: int, depth: int) -> LogicalLine:
    """Return the line of an `else`: the next row with more than a comment."""
    number = last + 1
    while (source.line(number).strip() or "#").startswith("#"):
        number += 1
    row = source.line(number)
    return LogicalLine(None, "else", depth, (number, row.index("else") + 1), (number, row.index(":") + 2))


class _Placing:
    """The assignment of comments to lines."""

    def __init__(self, lines: Sequence[LogicalLine]) -> None:
        self._lines = lines
        self._openers = [-1]
        """The column of the line that opens a block, by the block's depth."""

    def place(self, comments: Sequence[tree.Comment]) -> list[Own]:
        at = 0
        before: LogicalLine | None = None
        for line in self._lines:
            first = at
            while at < len(comments) and start(comments[at].span) < line.start:
                at += 1
            line.above = self._between(before, line.depth, comments[first:at])
            while at < len(comments) and start(comments[at].span) < line.stop:
                line.inner.append(comments[at])
                at += 1
            if at < len(comments) and comments[at].span.line == line.stop[0]:
                line.trailing = comments[at].text.rstrip()
                at += 1
            self._openers[line.depth + 1 :] = [line.start[1]]
            before = line
        return self._between(before, 0, comments[at:])

    def _between(
        self, before: LogicalLine | None, following: int, comments: Sequence[tree.Comment]
    ) -> list[Own]:
        """Give comments to the blocks that end at a line. Returns the others, which have the depth of the
        following line."""
        rest = []
        depth = max(before.depth if before is not None else 0, following)
        for comment in comments:
            while depth > following and comment.span.column <= self._openers[depth]:
                depth -= 1
            own = Own(comment, depth)
            if before is not None and depth > following:
                before.below.append(own)
            else:
                rest.append(own)
        return rest
