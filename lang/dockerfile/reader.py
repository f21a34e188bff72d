"""Splits a Dockerfile into nodes, one for each instruction.

1. Directives and comments are read line by line; comments are kept for the instruction below them.
2. Continuation lines are joined. Comment lines between them are dropped, as are empty ones (with a warning).
3. The joined line is split into words (`nodes`).
4. For RUN, COPY and ADD the bodies of heredocs are taken from the lines that follow.

The reference is BuildKit's `frontend/dockerfile/parser/parser.go`.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, source_error
from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.characters import (
    BYTE_ORDER_MARK,
    SPACES,
    invalid_at,
    is_comment,
    printable,
    replace_invalid,
)
from pybuild.lang.dockerfile.directives import read_directive
from pybuild.lang.dockerfile.heredocs import heredocs_of
from pybuild.lang.dockerfile.instructions import Heredoc
from pybuild.lang.dockerfile.lines import LogicalLine, physical_lines, trim_continuation
from pybuild.lang.dockerfile.nodes import Node, new_node, not_utf8
from pybuild.lang.dockerfile.words import WordError
from pybuild.lang.source import Source, Span

Warn = Callable[[Diagnostic], None]

HEREDOC_INSTRUCTIONS = frozenset({"add", "copy", "run"})


class Tree:
    """The nodes of a file in order, and its escape character.

    `empty` has, for each instruction with an empty line among its continuations, its last line and the first of the
    empty ones.
    """

    __slots__ = ("empty", "escape", "nodes")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.escape = "\\"
        self.empty: list[tuple[Span, Span]] = []


def read_nodes(source: Source) -> Tree:
    """Read the nodes of `source`. Raises SourceError."""
    return _Reader(source).read()


class _Reader:
    """State of reading one file. `seen` are the directives so far, None once no more can follow."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines = physical_lines(source.text)
        self.number = 0
        self.tree = Tree()
        self.comments: list[str] = []
        self.seen: dict[str, Span] | None = {}

    def read(self) -> Tree:
        while (raw := self.take()) is not None:
            mark = len(BYTE_ORDER_MARK) if self.number == 1 and raw.startswith(BYTE_ORDER_MARK) else 0
            raw = raw[mark:]
            if is_comment(raw):
                self.comment(raw)
            line = raw.rstrip("\r\n").lstrip(SPACES)
            column = mark + len(raw.rstrip("\r\n")) - len(line)
            self.directive(line, column)
            if line and not line.startswith("#"):
                self.instruction(line, column)
        return self.tree

    def take(self) -> str | None:
        """Return the next line, None at the end."""
        if self.number == len(self.lines):
            return None
        self.number += 1
        return self.lines[self.number - 1]

    def comment(self, raw: str) -> None:
        """Keep a comment; an empty one starts over."""
        text = raw[1:].strip(SPACES)
        if text:
            self.comments.append(text)
        else:
            self.comments = []

    def directive(self, line: str, column: int) -> None:
        """Read `line` as a directive, if a directive may still follow."""
        if self.seen is None:
            return
        directive = read_directive(line)
        if directive is None:
            self.seen = None
            return
        span = Span(
            self.source, self.number, column + directive.start + 1, self.number, column + directive.end + 1
        )
        if directive.name in self.seen:
            raise SourceError(
                Diagnostic(
                    f"the {directive.name} directive is given twice",
                    labels=[Label(span), Label(self.seen[directive.name], "first given here", primary=False)],
                    notes=[("help", "remove one of the two")],
                    buildkit=f"only one {directive.name} parser directive can be used",
                )
            )
        self.seen[directive.name] = span
        # The directive was taken for a comment before.
        self.comments.pop()
        if directive.name == "escape":
            if directive.value not in ("\\", "`"):
                error = source_error(
                    f"{printable(directive.value)} cannot be the escape character",
                    span,
                    help="it is \\ (the default) or `",
                )
                buildkit = f"invalid escape token '{directive.value}' does not match ` or \\"
                error.diagnostic = error.diagnostic.known_as(buildkit)
                raise error
            self.tree.escape = directive.value

    def instruction(self, line: str, column: int) -> None:
        """Read the instruction that starts with `line`, with its continuations and heredoc bodies."""
        joined = self.join(line, column)
        node = new_node(joined, Word(joined.text, 0, len(joined.text)), self.tree.escape, self.number)
        node.comments, self.comments = self.comments, []
        target = node.child or node
        if target.name.text.lower() in HEREDOC_INSTRUCTIONS and not target.json:
            try:
                opened = heredocs_of(replace_invalid(joined.text))
            except WordError as error:
                raise node.error(f"bad heredoc: {error}", node.rest) from None
            node.heredocs = [
                self.heredoc(node, heredoc)
                for heredoc, spaced in opened
                if not spaced or self.terminated(heredoc)
            ]
            node.end_line = self.number
        self.tree.nodes.append(node)

    def join(self, line: str, column: int) -> LogicalLine:
        """Join `line` with its continuation lines."""
        piece, more = trim_continuation(line, self.tree.escape)
        pieces = [(piece, self.number, column)]
        empty: Span | None = None
        while more and (raw := self.take()) is not None:
            if is_comment(raw):
                continue
            line = raw.rstrip("\r\n")
            if not line.strip(SPACES):
                empty = empty or Span(self.source, self.number, 1, self.number, max(len(line), 1) + 1)
                continue
            piece, more = trim_continuation(line, self.tree.escape)
            pieces.append((piece, self.number, 0))
        if empty is not None:
            width = len(self.source.line(self.number))
            self.tree.empty.append((Span(self.source, self.number, 1, self.number, max(width, 1) + 1), empty))
        return LogicalLine(self.source, pieces)

    def terminated(self, heredoc: Heredoc) -> bool:
        """True if a line below ends the heredoc.

        With blanks before its name it may not be a heredoc at all: `$((1 << 2))`, which BuildKit refuses as one.
        """
        lines = (line.rstrip("\r\n") for line in self.lines[self.number :])
        return any((line.lstrip("\t") if heredoc.chomp else line) == heredoc.name for line in lines)

    def heredoc(self, node: Node, heredoc: Heredoc) -> Heredoc:
        """Return `heredoc` with the lines up to its terminator."""
        content: list[str] = []
        while (raw := self.take()) is not None:
            line = raw.rstrip("\r\n")
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                return evolve(heredoc, content=self.body(node, heredoc, "".join(content), len(content)))
            content.append(raw)
        start = node.line.text.find(heredoc.name, node.line.text.find("<<"))
        word = Word("", start, start + len(heredoc.name)) if start >= 0 else node.rest
        node.end_line = self.number
        raise node.error(
            f"unterminated heredoc {printable(heredoc.name)}",
            word,
            help=f"end it with a line that holds only {printable(heredoc.name)}",
            buildkit="unterminated heredoc",
        )

    def body(self, node: Node, heredoc: Heredoc, content: str, length: int) -> str:
        """Return `content` as the instruction may hold it; bytes that aren't UTF-8 are kept, replaced, or an
        error."""
        keyword = node.name.text.lower()
        bad = invalid_at(content)
        if bad < 0 or (keyword in ("add", "copy") and not heredoc.expand):
            return content
        if keyword != "run":
            return replace_invalid(content)
        # `self.number` is the line of the terminator, `length` lines after the first line of the body.
        before = content[:bad].split("\n")
        number, column = self.number - length - 1 + len(before), len(before[-1])
        raise not_utf8(Span(self.source, number, column + 1, number, column + 2))
