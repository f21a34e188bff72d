"""A Dockerfile's lines as nodes: one for each instruction, its words cut but not yet understood.

1. Directives and comments are read off line by line; comments are kept for the instruction below them.
2. Continuation lines are joined. Comment lines between them vanish, empty ones too (with a warning).
3. The joined line is cut into a name, flags and words; how, depends on the instruction (`_SHAPES`).
4. For RUN, COPY and ADD the bodies of heredocs are taken from the lines that follow.

An unknown instruction becomes a node without words: whether its name is known is not asked here. The reference is
BuildKit's `frontend/dockerfile/parser/parser.go`.
"""

from __future__ import annotations

from collections.abc import Callable

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, source_error
from pybuild.lang.dockerfile.characters import (
    BYTE_ORDER_MARK,
    SPACES,
    invalid_at,
    is_comment,
    printable,
    replace_invalid,
)
from pybuild.lang.dockerfile.directives import read_directive
from pybuild.lang.dockerfile.heredocs import BadWord, heredocs_of, with_content
from pybuild.lang.dockerfile.instructions import Heredoc
from pybuild.lang.dockerfile.lines import LogicalLine, physical_lines, trim_continuation
from pybuild.lang.dockerfile.words import (
    NotStrings,
    Word,
    json_words,
    pairs,
    split_once,
    split_plain,
    split_quoted,
    take_flags,
)
from pybuild.lang.source import Source, Span

Warn = Callable[[Diagnostic], None]

HEREDOC_INSTRUCTIONS = frozenset({"add", "copy", "run"})


class Node:
    """One instruction before its meaning is known.

    `name` is as written; `words` are its arguments; `json` says that they came from a JSON array; `child` is the
    instruction of an ONBUILD. `end_line` is the last line, heredoc bodies included.
    """

    __slots__ = ("child", "comments", "end_line", "flags", "heredocs", "json", "line", "name", "rest", "words")

    def __init__(self, line: LogicalLine, name: Word, flags: list[Word], rest: Word, end_line: int) -> None:
        self.line = line
        self.name = name
        self.flags = flags
        self.rest = rest
        self.words: list[Word] = []
        self.json = False
        self.child: Node | None = None
        self.heredocs: list[Heredoc] = []
        self.comments: list[str] = []
        self.end_line = end_line

    @property
    def keyword(self) -> str:
        """The name in upper case, as messages show it."""
        return printable(self.name.text.upper())

    @property
    def text(self) -> str:
        return self.line.text.strip(SPACES)

    @property
    def span(self) -> Span:
        """From the name to the end of the last line."""
        first = self.line.span(self.name.start, self.name.end)
        last = len(self.line.source.line(self.end_line))
        return Span(self.line.source, first.line, first.column, self.end_line, last + 1)

    def place(self, word: Word | None = None) -> Span:
        """Where `word` stands; without one, the instruction's name."""
        start, end = (word or self.name)[1:]
        return self.line.span(start, end)

    def error(self, title: str, word: Word | None = None, label: str = "", *, help: str | None = None) -> SourceError:
        return source_error(title, self.place(word), label, help=help)


class Tree:
    """The nodes of a file in order, and its directives."""

    __slots__ = ("check", "escape", "nodes")

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.escape = "\\"
        self.check = ""


def read_nodes(source: Source, warn: Warn) -> Tree:
    """The nodes of `source`. Raises SourceError."""
    return _Reader(source, warn).read()


class _Reader:
    def __init__(self, source: Source, warn: Warn) -> None:
        self.source = source
        self.warn = warn
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
        if self.number == len(self.lines):
            return None
        self.number += 1
        return self.lines[self.number - 1]

    def comment(self, raw: str) -> None:
        text = raw[1:].strip(SPACES)
        self.comments = [*self.comments, text] if text else []

    def directive(self, line: str, column: int) -> None:
        """Read `line` as a directive, if it still may be one."""
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
                )
            )
        self.seen[directive.name] = span
        self.comments = self.comments[:-1]
        if directive.name == "escape":
            if directive.value not in ("\\", "`"):
                raise source_error(
                    f"{printable(directive.value)} cannot be the escape character",
                    span,
                    help="it is \\ (the default) or `",
                )
            self.tree.escape = directive.value
        elif directive.name == "check":
            self.tree.check = directive.value

    def instruction(self, line: str, column: int) -> None:
        """Read the instruction that starts with `line`, with its continuations and heredoc bodies."""
        joined = self.join(line, column)
        node = new_node(joined, Word(joined.text, 0, len(joined.text)), self.tree.escape, self.number)
        node.comments, self.comments = self.comments, []
        target = node.child or node
        if target.name.text.lower() in HEREDOC_INSTRUCTIONS and not target.json:
            try:
                opened = heredocs_of(joined.text)
            except BadWord as error:
                raise node.error(f"bad heredoc: {error}", node.rest) from None
            node.heredocs = [self.heredoc(node, heredoc) for heredoc in opened]
            node.end_line = self.number
        self.tree.nodes.append(node)

    def join(self, line: str, column: int) -> LogicalLine:
        joined = LogicalLine(self.source)
        piece, more = trim_continuation(line, self.tree.escape)
        joined.append(piece, self.number, column)
        empty: Span | None = None
        while more and (raw := self.take()) is not None:
            if is_comment(raw):
                continue
            line = raw.rstrip("\r\n")
            if not line.strip(SPACES):
                empty = empty or Span(self.source, self.number, 1, self.number, len(line) + 1)
                continue
            piece, more = trim_continuation(line, self.tree.escape)
            joined.append(piece, self.number, 0)
        if empty is not None:
            self.warn(
                Diagnostic(
                    "empty line inside a continued instruction",
                    labels=[Label(empty)],
                    notes=[("help", "remove it, or make it a comment with #")],
                    code="NoEmptyContinuation",
                    level="warning",
                )
            )
        return joined

    def heredoc(self, node: Node, heredoc: Heredoc) -> Heredoc:
        """`heredoc` with the lines up to its terminator."""
        content: list[str] = []
        while (raw := self.take()) is not None:
            line = raw.rstrip("\r\n")
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                return with_content(heredoc, self.body(node, heredoc, "".join(content), len(content)))
            content.append(raw)
        mark = next((at for at, _ in enumerate(node.line.text) if node.line.text.startswith("<<", at)), 0)
        found = node.line.text.find(heredoc.name, mark)
        word = Word("", found, found + len(heredoc.name)) if found >= 0 else node.rest
        raise node.error(
            f"unterminated heredoc {printable(heredoc.name)}",
            word,
            help=f"end it with a line that holds only {printable(heredoc.name)}",
        )

    def body(self, node: Node, heredoc: Heredoc, content: str, length: int) -> str:
        """`content` as the instruction may hold it, where bytes in it aren't UTF-8."""
        keyword = node.name.text.lower()
        bad = invalid_at(content)
        if bad < 0 or (keyword in ("add", "copy") and not heredoc.expand):
            return content
        if keyword != "run":
            return replace_invalid(content)
        before = content[:bad].split("\n")
        number, column = self.number - length - 1 + len(before), len(before[-1])
        raise _not_utf8(Span(self.source, number, column + 1, number, column + 2))


def new_node(line: LogicalLine, whole: Word, escape: str, end_line: int) -> Node:
    """The node of an instruction's text. Raises SourceError when its arguments can't be cut into words."""
    name, tail = split_once(whole.strip())
    flags: list[Word] = []
    rest = Word("", name.end, name.end)
    if tail is not None:
        flags, rest = take_flags(tail, escape)
    if (bad := invalid_at(line.text)) >= 0:
        if name.text.lower() == "run" and whole.start == 0:
            raise _not_utf8(line.span(bad, bad + 1))
        name, rest = (Word(replace_invalid(word.text), *word[1:]) for word in (name, rest))
        flags = [Word(replace_invalid(flag.text), *flag[1:]) for flag in flags]
    node = Node(line, name, flags, rest.strip(), end_line)
    shape = _SHAPES.get(name.text.lower())
    if shape is not None:
        shape(node, escape)
    return node


def _not_utf8(span: Span) -> SourceError:
    return source_error("a command must be UTF-8 text", span, help="save the file in the UTF-8 encoding")


def _one(node: Node, escape: str) -> None:
    node.words = [node.rest] if node.rest.text else []


def _plain(node: Node, escape: str) -> None:
    node.words = split_plain(node.rest)


def _quoted(node: Node, escape: str) -> None:
    node.words = split_quoted(node.rest, escape)


def _json_or_one(node: Node, escape: str) -> None:
    if not _json(node, node.rest):
        _one(node, escape)


def _json_or_plain(node: Node, escape: str) -> None:
    if not _json(node, node.rest):
        _plain(node, escape)


def _json(node: Node, rest: Word) -> bool:
    try:
        words = json_words(rest)
    except NotStrings:
        raise node.error(
            f"the JSON array of {node.keyword} must hold only strings", rest, help="put each element in double quotes"
        ) from None
    if words is not None:
        node.words, node.json = words, True
    return node.json


def _key_values(node: Node, escape: str) -> None:
    """`key=value …` as key, value, mark triples of words; the mark is empty in the form `key value`."""
    words = split_quoted(node.rest, escape)
    if not words:
        return
    if "=" not in words[0].text:
        key, value = split_once(node.rest)
        if value is None:
            raise node.error(
                f"{node.keyword} needs a name and a value", key, help=f"write {node.keyword} {printable(key.text)}=value"
            )
        node.words = [key, value, Word("", value.start, value.start)]
        return
    for word, key, value in pairs(words):
        if value is None:
            raise node.error(
                f"{node.keyword} has a word without =: {printable(word.text)}",
                word,
                "not of the form name=value",
                help="put a value with spaces in double quotes",
            )
        node.words += [key, value, Word("=", key.end, value.start)]


def _type_and_command(node: Node, escape: str) -> None:
    """HEALTHCHECK: a word, then a JSON array or the rest of the line."""
    text = node.rest.text
    cut = next((index for index, char in enumerate(text) if char in SPACES), len(text))
    if not text:
        return
    kind = Word(text[:cut], node.rest.start, node.rest.start + cut)
    command = Word(text[cut:], kind.end, node.rest.end).strip()
    if not _json(node, command):
        node.words = [command] if command.text else []
    node.words = [kind, *node.words]


def _instruction(node: Node, escape: str) -> None:
    """ONBUILD: an instruction with its own flags and words."""
    if not node.rest.text:
        return
    node.child = new_node(node.line, node.rest, escape, node.end_line)
    node.words = [node.child.name, *node.child.words]


_SHAPES: dict[str, Callable[[Node, str], None]] = {
    "add": _json_or_plain,
    "arg": _quoted,
    "cmd": _json_or_one,
    "copy": _json_or_plain,
    "entrypoint": _json_or_one,
    "env": _key_values,
    "expose": _plain,
    "from": _plain,
    "healthcheck": _type_and_command,
    "label": _key_values,
    "maintainer": _one,
    "onbuild": _instruction,
    "run": _json_or_one,
    "shell": _json_or_one,
    "stopsignal": _one,
    "user": _one,
    "volume": _json_or_plain,
    "workdir": _one,
}
