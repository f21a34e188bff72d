"""The lexer: text to logical lines of tokens (language spec, section 4).

It works row by row. One stack holds everything that is open: brackets, interpolations, and the strings and raw
texts around them; its top says whether code or text comes next, so nothing recurses. A mistake becomes a `WRONG`
token, and the lexer goes on after it: a mistake costs its line only.
"""

from __future__ import annotations

import re

from pybuild.lang.source import Source, Span
from pybuild.lang.textual import literals, tree
from pybuild.lang.textual.problems import syntax
from pybuild.lang.textual.reader import Open
from pybuild.lang.textual.texts import Texts
from pybuild.lang.textual.tokens import BODY, BODY_KINDS, HARD, TOP, TOP_KINDS, Line, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# `plain` is the fast path: a string without escapes, variables and interpolations.
_TOKEN: Final = re.compile(
    r"""[ \t]*(?:
      (?P<plain>"[^"\\$]*+"(?!") | '[^'\\$]*+'(?!'))
    | (?P<quote>r?(?:\"\"\"|'''|"|'))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>->|==|!=|<=|>=|//|[-+*%<>=.,:|])
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<end>$|\#.*)
    | (?P<number>[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)*)
    | (?P<bad>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KINDS: Final = {
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), "CMP"),
    **dict.fromkeys(("+", "-"), "ADDOP"),
    **dict.fromkeys(("*", "//", "%"), "MULOP"),
    **{word: word for word in HARD},
}
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}
_OPENERS: Final = {closer: opener for opener, closer in _CLOSERS.items()}
_MARGIN: Final = re.compile(r"[ \t]*")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_FLAG: Final = re.compile(r"--(?:mount|network|security|device)(?==)")
"""A flag of Dockerfile's RUN."""

UNUSABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufeff]")
"""Characters that are allowed nowhere, neither in strings nor in raw text."""

_SOFT: Final = "|".join(sorted({*TOP, *BODY} - HARD))
_ANEW: Final = re.compile(
    rf"[ \t]*(?:(?:{_SOFT})[ \t]+(?:(?!(?:{'|'.join(HARD)})\b)[A-Za-z_]|not[ \t]+(?!in\b)|[\"'])|from\b)"
)
"""A row that can't continue a bracket: it starts a line, so a bracket above it is unclosed."""
_ANEW_IN_LIST: Final = re.compile(r"[ \t]*(?:(?:run|else)[ \t]*:[ \t]*$|(?:if|elif|for|with)\b[^{]*:[ \t]*$)")
"""More such rows, inside `(` and `[`, which can't contain a `:`."""


def lexed(source: Source) -> Lexer:
    """Return the lexer of a source after it has read all lines.

    If a string of several lines has no end, perhaps an earlier one is unclosed, and the text between them was
    taken for its own. If that text contains declarations, the source is read again with the earlier string as the
    wrong one."""
    lexer = Lexer(source)
    lexer.read()
    if lexer.endless and lexer.swallowing is not None:
        lexer = Lexer(source, lexer.swallowing)
        lexer.read()
    return lexer


class Lexer(Texts):
    """The lexer of a source. `read` fills `lines`, `comments` and `tabbed` (the spans of tabs in indentation)."""

    def __init__(self, source: Source, unclosed: tuple[int, int] | None = None) -> None:
        super().__init__(source, unclosed)
        self.lines: list[Line] = []
        self.comments: list[tree.Comment] = []
        self.tabbed: list[Span] = []
        # One search of the whole text saves a search per line in nearly every file.
        self._unusable = UNUSABLE.search(source.text.replace("\r\n", "\n")) is not None

    def read(self) -> None:
        while self.row < len(self.rows):
            text = self.rows[self.row]
            margin = _MARGIN.match(text).group()  # type: ignore[union-attr]
            if len(margin) == len(text):
                self.row += 1
            elif text[len(margin)] == "#":
                self._comment(len(margin), own_line=True)
                self.row += 1
            else:
                self._logical(text, margin)

    # Lines

    def _logical(self, text: str, margin: str) -> None:
        first = self.row
        if "\t" in margin:
            self.tabbed.append(self.span(0, len(margin)))
        line = self.line = Line(len(margin.expandtabs(4)), first + 1)
        self.lines.append(line)
        self.text, self.column = text, len(margin)
        word = _WORD.match(text, len(margin))
        kind = (BODY_KINDS if line.indent else TOP_KINDS).get(word.group()) if word else None
        if word and kind:
            self.word(kind, word.group(), word.start())
            self.column = word.end()
        if kind == "run":
            self._run()
        else:
            self._tokens()
            if self._opens_raw():
                line.kinds.pop()
                line.values.pop()
                self._block()
        if self._unusable:
            self._refuse_unusable(first)

    def _opens_raw(self) -> bool:
        """Tell whether raw text follows: after `write …:`, and after `word:` if `word` is no statement (`run:` may
        be meant)."""
        kinds = self.line.kinds
        if len(kinds) < 3 or kinds[-2] != ":":
            return False
        return kinds[0] == "write" or (len(kinds) == 3 and kinds[0] == "NAME")

    def _tokens(self) -> None:
        """Read all tokens up to the end of the logical line or of the open raw text."""
        goes_on = True
        while goes_on:
            if self.open and self.open[-1].text:
                top = self.open[-1]
                self.read_text(top)
                goes_on = bool(top.kind or self.open)
            else:
                goes_on = self._read_code()

    def _comment(self, start: int, *, own_line: bool) -> None:
        text = self.rows[self.row]
        self.comments.append(tree.Comment(self.span(start, len(text)), text[start:], own_line))

    def _refuse_unusable(self, first: int) -> None:
        for row in range(first, self.row):
            char = UNUSABLE.search(self.rows[row])
            if char:
                span = Span(self.source, row + 1, char.start() + 1, row + 1, char.end() + 1)
                self.cut(0, syntax.bad_character(span, char.group()))
                return

    # Code

    def _read_code(self) -> bool:
        """Read tokens up to where text begins or continues (returns True) or to the end of the logical line
        (False)."""
        kinds, values, source = self.line.kinds, self.line.values, self.source
        while True:
            token = _TOKEN.match(self.text, self.column)
            assert token is not None
            group = token.lastgroup or ""
            start, end = token.span(group)
            self.column = end
            if group == "name" or group == "sign":
                text = token[group]
                kinds.append(_KINDS.get(text) or ("NAME" if group == "name" else text))
                values.append(Word(text, Span(source, self.row + 1, start + 1, self.row + 1, end + 1)))
            elif group == "plain":
                self._plain(start, end)
            elif group == "end":
                if start < end and self.outer is None:
                    self._comment(start, own_line=not self.text[:start].strip())
                if not self._end_row():
                    return False
            else:
                self._READ[group](self, token[group], start)
            if self.open and self.open[-1].text:
                return True

    def _opening(self, sign: str, start: int) -> None:
        self.word(sign, sign, start)
        self.push(Open(sign, self.line.values[-1], len(self.line.kinds) - 1))

    def _number(self, text: str, start: int) -> None:
        self.node("NUMBER", literals.number(text, self.span(start, self.column)))

    def _bad(self, char: str, start: int) -> None:
        self.wrong(syntax.bad_character(self.span(start, self.column), char))

    def _plain(self, start: int, end: int) -> None:
        text = self.text[start + 1 : end - 1]
        parts = (tree.Text(self.span(start + 1, end - 1), text),) if text else ()
        self.node("STRING", tree.String(self.span(start, end), parts))

    def _quote(self, quote: str, start: int) -> None:
        end = self.column
        word = Word(quote, self.span(start, end))
        if quote.endswith("'''") or quote == 'r"""':
            self.wrong(syntax.no_such_quotes(word.span, quote))
            close = self.text.find(quote[-3:], end)
            self.column = len(self.text) if close < 0 else close + 3
        elif quote[0] != "r":
            self.push(Open(quote, word, len(self.line.kinds), text=True))
        elif (close := self.text.find(quote[1], end)) < 0:
            self.wrong(syntax.unterminated_string(word.span, quote[1]))
            self.column = len(self.text)
        else:
            text = self.text[end:close]
            parts = (tree.Text(self.span(end, close), text),) if text else ()
            self.column = close + 1
            self.node("STRING", tree.String(self.span(start, self.column), parts, raw=True))

    # Brackets

    def _closing(self, sign: str, start: int) -> None:
        top = self.open[-1] if self.open else None
        double = sign == "}" and self.text.startswith("}", start + 1)
        if top and sign == _CLOSERS.get(top.kind):
            self.pop()
            self.word(sign, sign, start)
        elif self.outer is not None and sign == "}" and (double or top is self.open[self.outer]):
            self._close_interpolation(start, double=double)
        elif top is None or top.kind == "${{":
            self.word(sign, sign, start)
        else:
            self.wrong(syntax.wrong_bracket(self.span(start, start + 1), sign, top.word.span, top.kind))
            # Some outer bracket has this sign: close it and all inside it. Else the sign is a wrong one for the
            # innermost bracket.
            if self.brackets.get(_OPENERS[sign]):
                while self.pop().kind != _OPENERS[sign]:
                    pass
            else:
                self.pop()

    def _close_interpolation(self, start: int, *, double: bool) -> None:
        while self.open[-1].kind != "${{":
            left = self.pop()
            self.wrong(syntax.unclosed_bracket(left.word.span, left.kind))
        opening = self.pop()
        if double:
            self.word("}}", "}}", start)
            self.column = start + 2
        else:
            self.cut(opening.at, syntax.unclosed_interpolation(opening.word.span))

    _READ: Final = {"open": _opening, "close": _closing, "quote": _quote, "number": _number, "bad": _bad}

    def _end_row(self) -> bool:
        """End a row in code. Returns whether the logical line goes on, in code or in text."""
        if self.outer is not None:
            # An interpolation must end on its row.
            outer = self.open[self.outer]
            while self.open[-1] is not outer:
                self.pop()
            self.pop()
            self.cut(outer.at, syntax.unclosed_interpolation(outer.word.span))
            if self.open[-1].kind in ("", '"""'):
                return True
            self.pop()
        if self.open and self.row + 1 < len(self.rows) and not self._starts_anew(self.rows[self.row + 1]):
            self.at_row(self.row + 1, 0)
            return True
        if self.open:
            self.line.unclosed = self.open[-1].word
            self.close_all()
        self.end_line()
        self.row += 1
        return False

    def _starts_anew(self, row: str) -> bool:
        """Tell whether `row` can't be inside the innermost open bracket."""
        if _ANEW.match(row):
            return True
        return self.open[-1].kind != "{" and (
            self.line.kinds[-1] == ":" or _ANEW_IN_LIST.match(row) is not None
        )

    # Raw text

    def _run(self) -> None:
        """Read what follows `run`."""
        text = self.text
        start = len(text) - len(text[self.column :].lstrip(" \t"))
        if text[start:].rstrip(" \t") == ":":
            self.word(":", ":", start)
            self.row += 1
            self._block()
            return
        if start == len(text):
            self.wrong(syntax.no_script(self.line.values[0].span))
            self.row += 1
            return
        if text[self.column] == ":" or _FLAG.match(text, start):
            self._no_script(start)
            return
        last = self.row
        while self.rows[last].endswith("\\") and last + 1 < len(self.rows):
            last += 1
        rows = [row for row in self.rows[self.row + 1 : last + 1] if row.strip(" \t")]
        margins = [len(row) - len(row.lstrip(" ")) for row in rows]
        # A continued line may be less indented than the statement: only what all rows have is removed.
        margin = min([self.line.indent, *margins]) if last > self.row else 0
        self.open_raw(start, last, margin, block=False)
        if self.open:
            self._tokens()
        self.end_line()

    def _no_script(self, start: int) -> None:
        """Report text after `run:` or a flag of Dockerfile's RUN, and skip the lines that belong to it."""
        text, flag = self.text, _FLAG.match(self.text, start)
        if flag:
            self.wrong(syntax.run_flag(self.span(start, flag.end()), flag.group()))
        else:
            script = text[start + 1 :].strip(" \t")
            self.wrong(
                syntax.script_behind_colon(self.span(text.index(script, start + 1), len(text)), script)
            )
        while self.rows[self.row].endswith("\\") and self.row + 1 < len(self.rows):
            self.row += 1
        self.row += 1
        while self.row < len(self.rows):
            row = self.rows[self.row]
            if row.strip(" \t") and len(row) - len(row.lstrip(" ")) <= self.line.indent:
                break
            self.row += 1

    def _block(self) -> None:
        """Read the raw block that starts at this row."""
        margin = -1
        last = self.row
        for row in range(self.row, len(self.rows)):
            stripped = self.rows[row].lstrip(" ")
            if stripped.strip("\t"):
                indent = len(self.rows[row]) - len(stripped)
                if indent <= self.line.indent:
                    break
                margin = indent if margin < 0 else min(margin, indent)
                last = row
        if margin < 0:
            values = self.line.values
            head = f"`{values[0].text}:`" if len(values) == 2 else f"`{values[0].text}`"
            self.wrong(syntax.no_block(values[-1].span, head))
            return
        # The first row may be blank and shorter than the margin.
        self.open_raw(min(margin, len(self.rows[self.row])), last, margin, block=True)
        if self.open:
            self._tokens()
