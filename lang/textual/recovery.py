"""Parsing with recovery: logical lines to declarations and messages (language spec, section 17).

The parser takes one line after the other. When one fails, the machine goes back to the start of the line, and a
`BROKEN` token takes the line's place, so parsing goes on with the next line of the same depth. Blocks are derived
from indentation here, so a mistake in a header doesn't cost the body, nor cause further mistakes in it.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import tree
from pybuild.lang.textual.build_expressions import EXPRESSIONS, GROWING
from pybuild.lang.textual.build_statements import STATEMENTS
from pybuild.lang.textual.lexer import lexed
from pybuild.lang.textual.machine import Machine, TooDeep
from pybuild.lang.textual.mistakes import mistake, place_of
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.tokens import TOP, TOP_KINDS, WRONG, Line, Word
from pybuild.lang.textual.trivia import docs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from pybuild.lang.diagnostics import Diagnostic

DEEPEST: Final = 200
"""The deepest nesting of expressions."""
DEEPEST_BLOCK: Final = 100
"""The deepest nesting of blocks."""
MOST: Final = 1000
"""The most mistakes that are reported for one file."""

_OPENERS: Final = frozenset(("TARGET", "def", "if", "elif", "else", "for", "with"))
"""First tokens of lines with a block of statements below them."""
_FOLLOWING: Final = frozenset(("elif", "else", ")", "]", "}"))
"""First tokens of lines that continue the construct above them."""
_NAMED: Final = frozenset(("TARGET", "def", "param", "let", "group", "for"))
"""First tokens that are followed by a name which the line binds."""
_BINDING: Final = ([["="], [":"], ["("], ["for"], ["on"]], [["="]])
"""Tokens after such a name, at the top level and in a body."""
_DECLARATIONS: Final = frozenset(("TARGET", "def"))
"""First tokens of declarations with a body."""
_WITH_BODY: Final = frozenset(("target", "test", "def"))
"""First words of declarations with a body."""


def declarations(
    source: Source,
) -> tuple[tuple[tree.Decl, ...], tuple[tree.Comment, ...], list[Diagnostic]]:
    """Return the declarations of a file, its comments and its mistakes."""
    lexer = lexed(source)
    parser = _Parser(source, lexer.lines)
    decls = parser.parse()
    if lexer.tabbed:
        parser.problems.append(syntax.tabs(lexer.tabbed[0], len(lexer.tabbed) - 1))
    return _documented(decls, docs(lexer.comments)), tuple(lexer.comments), parser.problems


def _documented(decls: tuple[tree.Decl, ...], docs_by_line: dict[int, str]) -> tuple[tree.Decl, ...]:
    out = []
    for decl in decls:
        doc = docs_by_line.get(decl.span.line)
        if doc and isinstance(decl, tree.Param | tree.Let | tree.Group | tree.Def | tree.Target):
            decl = evolve(decl, doc=doc)
        out.append(decl)
    return tuple(out)


class _Level:
    """An open block of `indent` spaces that starts with the word `first`.

    Lines from `low` to `high` count as its own: after one line that fits no block, others like it are not further
    mistakes. `spoiled` says that the preceding statement is a broken one, `muted` that mistakes inside are not
    reported."""

    __slots__ = ("first", "high", "indent", "low", "muted", "spoiled")

    def __init__(self, indent: int, first: Span, *, muted: bool) -> None:
        self.first = first
        self.indent = self.low = self.high = indent
        self.muted = muted
        self.spoiled = False


class _Parser:
    def __init__(self, source: Source, lines: list[Line]) -> None:
        self.problems: list[Diagnostic] = []
        self._source = source
        self._lines = lines
        self._at = 0
        self._machine = Machine(EXPRESSIONS | STATEMENTS, GROWING, frozenset(STATEMENTS), DEEPEST)
        self._levels = [_Level(0, Span(source, 1, 1, 1, 1), muted=False)]
        self._reported_line = 0
        """The last line that has a message."""
        self._braces = False
        self._end = Word("", Span(source, 1, 1, 1, 1))
        """The place after the last parsed line."""

    def parse(self) -> tuple[tree.Decl, ...]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._dedent(line)
            if self._declares(line):
                self._indented_declaration(line)
            elif line.indent > self._levels[-1].high:
                self._unexpected_block(line)
            else:
                self._at += 1
                self._line(line)
        while len(self._levels) > 1:
            self._leave()
        value: tuple[tree.Decl, ...] = self._machine.finish()
        return value

    # Lines

    def _line(self, line: Line) -> None:
        # The message about the block covers its lines.
        if self._levels[-1].muted:
            self._broken(line)
            return
        # Values are shared with the copy: what can span several lines is never changed (`build_statements`).
        saved = self._machine.save()
        try:
            failed = self._machine.feed(line.kinds, line.values)
        except TooDeep as error:
            problem: Diagnostic | None = syntax.too_deep(place_of(error.parts))
        else:
            if failed < 0:
                self._end_at(line.values[-1].span)
                self._levels[-1].spoiled = False
                if self._machine.accepts("_INDENT"):
                    self._block(line)
                return
            problem = None
            # The diagnosis needs the state of the failure, so the machine is restored after it.
            if not self._follows(line) and len(self.problems) < MOST:
                problem = mistake(line, failed, self._machine, top=len(self._levels) == 1)
        self._machine.restore(saved)
        if problem is not None:
            self._say(line, problem)
        self._broken(line)

    def _follows(self, line: Line) -> bool:
        """Tell whether a line fails because of an earlier mistake: the `else` of a broken `if`, the closing
        bracket of a broken list, the `}` of a body in braces."""
        if "{" in line.kinds and line.kinds[0] in _OPENERS:
            self._braces = True
        elif line.kinds == ["}", "_NL"] and self._braces:
            return True
        return line.kinds[0] in _FOLLOWING and self._levels[-1].spoiled

    def _broken(self, line: Line) -> None:
        """Put a broken line in the tree, with the statements below it if it may have any."""
        span = _span(line)
        self._feed("BROKEN", tree.Broken(span, _keyword(line), _name(line)))
        self._end_at(span)
        self._levels[-1].spoiled = True
        # The lines of an argument list without its opening bracket.
        while self._deeper() and self._lines[self._at].kinds[-2:] == [",", "_NL"]:
            self._at += 1
        if self._closes(line):
            self._at += 1
        opens = line.kinds[0] in _OPENERS or (line.kinds[-2:] == [":", "_NL"] and line.kinds[0] in _FOLLOWING)
        misplaced = len(self._levels) == 1 and line.kinds[0] not in _DECLARATIONS
        if self._deeper() and opens and not misplaced and not _has_body(line):
            self._feed("_NL", self._end)
            self._block(line)
        else:
            self._skip()
            self._feed("_NL", self._end)

    def _say(self, line: Line, problem: Diagnostic) -> None:
        """Report a problem, at most one per line."""
        if line.number != self._reported_line and not self._levels[-1].muted and len(self.problems) < MOST:
            self._reported_line = line.number
            self.problems.append(problem)

    def _end_at(self, span: Span) -> None:
        self._end = Word(
            "", Span(self._source, span.end_line, span.end_column, span.end_line, span.end_column)
        )

    def _feed(self, kind: str, value: Any) -> None:
        failed = self._machine.feed((kind,), (value,))
        assert failed < 0, kind

    # Blocks

    def _deeper(self) -> bool:
        """Tell whether the next line is deeper than the open block."""
        return self._at < len(self._lines) and self._lines[self._at].indent > self._levels[-1].high

    def _closes(self, line: Line) -> bool:
        """Tell whether the next line is the end of this header: it closes a bracket, and a body follows."""
        following = self._lines[self._at : self._at + 1]
        if not following or following[0].indent != line.indent or line.kinds[0] not in _OPENERS:
            return False
        return following[0].kinds[0] in (")", "]") and following[0].kinds[-2:] == [":", "_NL"]

    def _skip(self) -> None:
        while self._deeper():
            self._at += 1

    def _block(self, line: Line, *, muted: bool = False) -> None:
        """Open the block after a header. If there are no lines for it, or it is too deep, a broken statement takes
        its place."""
        if self._deeper() and len(self._levels) <= DEEPEST_BLOCK:
            self._feed("_INDENT", self._end)
            first = self._lines[self._at]
            place = place_of(first.values[:1])
            self._levels.append(_Level(first.indent, place, muted=muted or self._levels[-1].muted))
            return
        if self._deeper():
            self._say(line, syntax.too_deep(_span(line)))
            self._skip()
        else:
            self._say(line, syntax.no_block(_span(line), f"`{line.values[0].text}`"))
        # The grammar requires a statement in every block.
        broken = tree.Broken(self._end.span, "")
        for kind, value in (
            ("_INDENT", self._end),
            ("BROKEN", broken),
            ("_NL", self._end),
            ("_DEDENT", self._end),
        ):
            self._feed(kind, value)

    def _declares(self, line: Line) -> bool:
        """Tell whether a line is a declaration with only its indentation wrong: nothing can be indented here, or
        the lines of its body are no deeper than itself."""
        first = line.values[0]
        if (
            not line.indent
            or self._levels[-1].muted
            or line.kinds[1:2] != ["NAME"]
            or not isinstance(first, Word)
        ):
            return False
        if len(self._levels) == 1:
            return first.text in TOP
        following = self._lines[self._at + 1 : self._at + 2]
        same = bool(following) and following[0].indent == line.indent and following[0].kinds[0] != "NAME"
        return same and first.text in _WITH_BODY and line.kinds[-2:] == [":", "_NL"]

    def _indented_declaration(self, line: Line) -> None:
        """Parse a declaration that isn't in the first column as if it were, and the lines below it at its depth as
        its body."""
        first = line.values[0]
        if len(self._levels) > 1:
            self._say(line, syntax.inside_body(first.span, first.text))
        else:
            self._say(line, syntax.unexpected_block(_whole(line)))
        while len(self._levels) > 1:
            self._leave()
        self._at += 1
        line.kinds[0] = TOP_KINDS[first.text]
        self._line(line)

    def _unexpected_block(self, line: Line) -> None:
        """Skip, after one message, the lines that are indented below a line that opens no block."""
        span = _whole(line)
        above = self._lines[self._at - 1].values[0].span if self._at else None
        self._say(line, syntax.unexpected_block(span, above))
        self._feed("BROKEN", tree.Broken(span, ""))
        self._levels[-1].spoiled = True
        self._feed("_NL", self._end)
        self._block(line, muted=True)

    def _dedent(self, line: Line) -> None:
        """Leave the blocks that a line is not part of. A line that fits no block counts as part of the nearest."""
        indent = line.indent
        if indent >= self._levels[-1].low:
            return
        indents = [level.indent for level in self._levels]
        if not any(level.low <= indent <= level.high for level in self._levels):
            near = min(self._levels[1:], key=lambda level: (abs(level.low - indent), -level.low))
            text = self._source.line(line.number)
            if not text[:indent].strip(" "):  # a tab in it is a mistake of its own
                span = Span(self._source, line.number, 1, line.number, indent + 1)
                self._say(line, syntax.unfit_dedent(span, indent, indents, near.indent, near.first))
            # Later lines with this indentation get no message of their own.
            near.low, near.high = min(near.low, indent), max(near.high, indent)
        while indent < self._levels[-1].low:
            self._leave()

    def _leave(self) -> None:
        self._levels.pop()
        self._feed("_DEDENT", self._end)


def _has_body(line: Line) -> bool:
    """Tell whether something follows the header's `:` on its line. Then the lines below belong to that."""
    depth = 0
    for at, kind in enumerate(line.kinds[:-2]):
        depth += (kind in "([{") - (kind in ")]}")
        if kind == ":" and depth <= 0:
            return line.kinds[at + 1] != "_NL"
    return False


def _whole(line: Line) -> Span:
    """Return the span of the row in which a line starts."""
    source = line.values[0].span.source
    text = source.line(line.number)
    margin = len(text) - len(text.lstrip(" \t"))
    return Span(source, line.number, margin + 1, line.number, len(text.rstrip()) + 1)


def _span(line: Line) -> Span:
    """Return the span of a line's tokens."""
    places = [place_of([value]) for value in line.values]
    a, b = places[0], places[-1]
    return Span(a.source, a.line, a.column, b.end_line, b.end_column)


def _keyword(line: Line) -> str:
    first = line.values[0]
    return first.text if isinstance(first, Word) else ""


def _name(line: Line) -> tree.Ident | None:
    """Return the name that a line would bind, as far as it is clear. The first word may be missing, misspelt or
    doubled, and a sign may precede the name."""
    tokens = [(kind, value) for kind, value in zip(line.kinds, line.values, strict=True) if kind != WRONG]
    kinds = [kind for kind, _ in tokens]
    at = 1
    if kinds[:1] == ["use"] and "as" in kinds:
        at = kinds.index("as") + 1
    elif kinds[:1] == ["NAME"]:
        at = kinds.index("NAME", 1) if kinds[1:2] == ["NAME"] else 0
        if kinds[at + 1 : at + 2] not in _BINDING[line.indent > 0]:
            return None
    elif not kinds or (kinds[0] not in _NAMED and kinds[0] != "use"):
        return None
    if kinds[at : at + 2] == ["NAME", "NAME"] and tokens[at][1].text == line.values[0].text:
        at += 1
    if kinds[at : at + 1] != ["NAME"]:
        return None
    word = tokens[at][1]
    return tree.Ident(word.span, word.text)
