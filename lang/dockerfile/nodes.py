"""Splits the line of an instruction into a name, flags and words, which are not interpreted yet.

How words are split depends on the instruction (`_SHAPES`); an unknown one gets no words. The reference is BuildKit's
`frontend/dockerfile/parser/parser.go` and `line_parsers.go`.
"""

from __future__ import annotations

from collections.abc import Callable

from pybuild.lang.diagnostics import SourceError, source_error
from pybuild.lang.dockerfile.arguments import (
    NotStrings,
    Word,
    json_words,
    pairs,
    split_once,
    split_plain,
    split_quoted,
    take_flags,
)
from pybuild.lang.dockerfile.characters import (
    SPACES,
    invalid_at,
    printable,
    replace_invalid,
)
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.instructions import Heredoc
from pybuild.lang.dockerfile.lines import LogicalLine
from pybuild.lang.source import Span


class Node:
    """An instruction before it is interpreted.

    `name` is as written; `words` are its arguments; `json` is true if they came from a JSON array; `child` is the
    instruction of an ONBUILD. `end_line` is the last line, heredoc bodies included. `escape` is the escape character
    of the file; `extended` is true if the file may use pybuild's extensions of the syntax.
    """

    __slots__ = (
        "child",
        "comments",
        "end_line",
        "escape",
        "extended",
        "flags",
        "heredocs",
        "json",
        "line",
        "name",
        "rest",
        "words",
    )

    def __init__(
        self, line: LogicalLine, name: Word, flags: list[Word], rest: Word, escape: str, end_line: int
    ) -> None:
        self.line = line
        self.name = name
        self.flags = flags
        self.rest = rest
        self.words: list[Word] = []
        self.json = False
        self.child: Node | None = None
        self.heredocs: list[Heredoc] = []
        self.comments: list[str] = []
        self.escape = escape
        self.extended = False
        self.end_line = end_line

    @property
    def keyword(self) -> str:
        """The name in upper case, as messages show it."""
        return printable(self.name.text.upper())

    @property
    def text(self) -> str:
        """The instruction as BuildKit records it."""
        return replace_invalid(self.line.text.strip(SPACES))

    @property
    def span(self) -> Span:
        """The place from the name to the end of the last line."""
        first = self.line.span(self.name.start, self.name.end)
        last = len(self.line.source.line(self.end_line))
        return Span(self.line.source, first.line, first.column, self.end_line, last + 1)

    def place(self, word: Word | None = None) -> Span:
        """Return the place of `word`, by default the instruction's name."""
        start, end = (word or self.name)[1:]
        return self.line.span(start, end)

    def error(
        self,
        title: str,
        word: Word | None = None,
        label: str = "",
        *,
        help: str | None = None,
        buildkit: str = "",
    ) -> SourceError:
        """Make an error at `word`, by default the instruction's name; BuildKit's clients see all lines of the
        instruction."""
        error = source_error(title, self.place(word), label, help=help)
        error.diagnostic = error.diagnostic.known_as(buildkit, (self.line.number, self.end_line))
        return error


def new_node(line: LogicalLine, whole: Word, escape: str, end_line: int) -> Node:
    """Make the node of an instruction's text. Raises SourceError if its arguments can't be split into words.

    `whole` is the part of `line` to read: all of it, or the trigger of an ONBUILD, in which a further ONBUILD gets no
    words (it isn't allowed there).
    """
    nested = whole.start > 0
    name, tail = split_once(whole.strip())
    flags: list[Word] = []
    rest = Word("", name.end, name.end)
    if tail is not None:
        flags, rest = take_flags(tail, escape)
    if (bad := invalid_at(line.text)) >= 0:
        if name.text.lower() == "run" and not nested:
            raise not_utf8(line.span(bad, bad + 1))
        name, rest = (Word(replace_invalid(word.text), *word[1:]) for word in (name, rest))
        flags = [Word(replace_invalid(flag.text), *flag[1:]) for flag in flags]
    node = Node(line, name, flags, rest.strip(), escape, end_line)
    shape = _SHAPES.get(name.text.lower())
    if shape is not None and not (nested and shape is _instruction):
        shape(node)
    return node


def not_utf8(span: Span) -> SourceError:
    return source_error("a command must be UTF-8 text", span, help="save the file in the UTF-8 encoding")


def _one(node: Node) -> None:
    node.words = [node.rest] if node.rest.text else []


def _plain(node: Node) -> None:
    node.words = split_plain(node.rest)


def _quoted(node: Node) -> None:
    node.words = split_quoted(node.rest, node.escape)


def _json_or_one(node: Node) -> None:
    if not _json(node, node.rest):
        _one(node)


def _json_or_plain(node: Node) -> None:
    if not _json(node, node.rest):
        _plain(node)


def _json(node: Node, rest: Word) -> bool:
    try:
        words = json_words(rest)
    except NotStrings:
        raise node.error(
            f"the JSON array of {node.keyword} must hold only strings",
            rest,
            help="put each element in double quotes",
            buildkit="when using JSON array syntax, arrays must be comprised of strings only",
        ) from None
    if words is not None:
        node.words, node.json = words, True
    return node.json


def _key_values(node: Node) -> None:
    """Split `key=value …` into triples of words: key, value, mark. The mark is empty in the form `key value`."""
    words = split_quoted(node.rest, node.escape)
    if not words:
        return
    if "=" not in words[0].text:
        key, value = split_once(node.rest)
        if value is None:
            raise node.error(
                f"{node.keyword} needs a name and a value",
                key,
                help=f"write {node.keyword} {printable(key.text)}=value",
                buildkit=f"{node.keyword} must have two arguments",
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
                buildkit=f"Syntax error - can't find = in {quote(word.text)}. Must be of the form: name=value",
            )
        node.words += [key, value, Word("=", key.end, value.start)]


def _type_and_command(node: Node) -> None:
    """Split HEALTHCHECK's arguments: a word, then a JSON array or the rest of the line."""
    text = node.rest.text
    cut = next((index for index, char in enumerate(text) if char in SPACES), len(text))
    if not text:
        return
    kind = Word(text[:cut], node.rest.start, node.rest.start + cut)
    command = Word(text[cut:], kind.end, node.rest.end).strip()
    if not _json(node, command):
        node.words = [command] if command.text else []
    node.words = [kind, *node.words]


def _instruction(node: Node) -> None:
    """Split ONBUILD's argument: an instruction with its own flags and words."""
    if not node.rest.text:
        return
    node.child = new_node(node.line, node.rest, node.escape, node.end_line)
    node.words = [node.child.name, *node.child.words]


_SHAPES: dict[str, Callable[[Node], None]] = {
    "add": _json_or_plain,
    "arg": _quoted,
    "cmd": _json_or_one,
    "copy": _json_or_plain,
    "entrypoint": _json_or_one,
    "env": _key_values,
    "expose": _plain,
    "from": _plain,
    "healthcheck": _type_and_command,
    "include": _plain,
    "label": _key_values,
    "maintainer": _one,
    "onbuild": _instruction,
    "run": _json_or_one,
    "shell": _json_or_one,
    "stopsignal": _one,
    "unset": _quoted,
    "user": _one,
    "volume": _json_or_plain,
    "workdir": _one,
}
