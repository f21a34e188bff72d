"""Heredoc words: `<<NAME`, `<<-NAME`, `3<<"NAME"`, anywhere among the words of a line.

A heredoc word is found by cutting the line into shell words; its name is what the shell would make of the rest of
the word, and a quote in it means that the body isn't expanded. No variable is set at that time, so `$NAME` stays as
written. The escape character is always the backslash here, whatever the `escape` directive says. The rules are those
of BuildKit's `parser/parser.go` and of the lexer it uses (`shell/lex.go`).
"""

from __future__ import annotations

from attrs import evolve

from pybuild.lang.dockerfile.characters import SPACES
from pybuild.lang.dockerfile.instructions import Heredoc

_ESCAPE = "\\"
_SPECIAL = "@*#?-$!0"
_DIGITS = "0123456789"
_LARGEST = 2**64 - 1
_DEEPEST = 100  # substitutions inside each other


class BadWord(Exception):
    """A quote or a `${` that is never closed, or a substitution of no known form."""


def parse_heredoc(word: str) -> Heredoc | None:
    """The heredoc that `word` opens, its content empty; None if it opens none. Raises BadWord."""
    digits = word[: len(word) - len(word.lstrip(_DIGITS))]
    mark, name = word[len(digits) : len(digits) + 2], word[len(digits) + 2 :]
    chomp = name.startswith("-")
    name = name.removeprefix("-")
    if mark != "<<" or not name or "<" in name:
        return None
    words = shell_words(name)
    if len(words) != 1:
        return None
    raw = shell_words(name, keep_quotes=True)
    if len(raw) != 1:
        raise BadWord(f"the heredoc name {name} is not one word")
    expand = _quotes(words[0]) == _quotes(raw[0])
    descriptor = min(int(digits[:21]), _LARGEST) if digits else 0
    return Heredoc(words[0], "", expand=expand, chomp=chomp, file_descriptor=descriptor)


def heredocs_of(line: str) -> list[Heredoc]:
    """The heredocs that the words of `line` open, in order, their contents empty. Raises BadWord.

    A line that can't be cut into shell words opens none.
    """
    if "<<" not in line:
        return []
    try:
        words = shell_words(line, keep_quotes=True, keep_escapes=True)
    except BadWord:
        return []
    return [heredoc for heredoc in map(parse_heredoc, words) if heredoc is not None]


def is_heredoc(word: str) -> bool:
    """Whether `word` alone opens a heredoc; a malformed one doesn't."""
    try:
        return parse_heredoc(word) is not None
    except BadWord:
        return False


def with_content(heredoc: Heredoc, content: str) -> Heredoc:
    return evolve(heredoc, content=content)


def _quotes(word: str) -> int:
    return word.count("'") + word.count('"')


def shell_words(text: str, *, keep_quotes: bool = False, keep_escapes: bool = False) -> list[str]:
    """`text` cut into words as a shell does where no variable is set and unset ones stay as written.

    Raises BadWord.
    """
    return _Lexer(text, keep_quotes).run("", keep_escapes)[1]


class _Lexer:
    """One pass over a text; `run` is re-entered for the operand of `${name:-operand}`."""

    def __init__(self, text: str, keep_quotes: bool) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.keep_quotes = keep_quotes

    def peek(self) -> str:
        """The next character, empty at the end."""
        return self.text[self.position : self.position + 1]

    def next(self) -> str:
        char = self.peek()
        self.position += 1
        return char

    def run(self, stop: str, keep_escapes: bool) -> tuple[str, list[str]]:
        """The text up to `stop` (the end when empty) as one string and as words."""
        out: list[str] = []
        words = _Words()
        while char := self.peek():
            if char == stop:
                self.next()
                return "".join(out), words.finish()
            if char == "$":
                piece = self.dollar(keep_escapes)
                words.add(piece)
            elif char in "'\"":
                piece = self.single() if char == "'" else self.double(keep_escapes)
                words.add_raw(piece)
            else:
                piece = self.plain(words, keep_escapes)
            out.append(piece)
        if stop:
            raise BadWord(f"no {stop} closes the substitution")
        return "".join(out), words.finish()

    def plain(self, words: _Words, keep_escapes: bool) -> str:
        char = self.next()
        if char != _ESCAPE:
            words.add(char)
            return char
        kept = char if keep_escapes else ""
        escaped = self.next()
        words.add_raw(kept + escaped)
        return kept + escaped

    def single(self) -> str:
        self.next()
        end = self.text.find("'", self.position)
        if end < 0:
            raise BadWord("no ' closes the quoted text")
        body = self.text[self.position : end]
        self.position = end + 1
        return f"'{body}'" if self.keep_quotes else body

    def double(self, keep_escapes: bool) -> str:
        self.next()
        out: list[str] = []
        while char := self.peek():
            if char == "$":
                out.append(self.dollar(keep_escapes))
                continue
            self.next()
            if char == '"':
                body = "".join(out)
                return f'"{body}"' if self.keep_quotes else body
            if char == _ESCAPE:
                if keep_escapes:
                    out.append(char)
                if not self.peek():
                    break
                if self.peek() in ('"', "$", _ESCAPE):
                    char = self.next()
            out.append(char)
        raise BadWord('no " closes the quoted text')

    def dollar(self, keep_escapes: bool) -> str:
        self.next()
        if self.peek() != "{":
            return "$" + self.name()
        self.next()
        if not self.peek():
            raise BadWord("no } closes the substitution")
        if self.peek() in "{}:":
            raise BadWord("bad substitution")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise BadWord(f"more than {_DEEPEST} substitutions inside each other")
        name = self.name()
        text = self.modifier()
        self.depth -= 1
        return f"${{{name}{text}}}"

    def modifier(self) -> str:
        """What follows the name up to the closing brace, without that."""
        operator = self.next()
        if operator == "}":
            return ""
        if operator == ":":
            operator += self.next()
        if operator == "/":
            return self.replacement()
        if not operator or operator[0] not in ":+-?#%":
            raise BadWord(f"unsupported modifier {operator} in a substitution")
        operand, _ = self.run("}", operator[-1] in "#%")
        return operator + operand

    def replacement(self) -> str:
        if self.peek() == "/":
            self.next()
        pattern, _ = self.run("/", True)
        text, _ = self.run("}", True)
        return f"/{pattern}/{text}"

    def name(self) -> str:
        """A variable's name, a number, or one special parameter; empty when there is none."""
        first = self.peek()
        start = self.position
        if first.isdecimal():
            while self.peek().isdecimal():
                self.position += 1
        elif first and first in _SPECIAL:
            self.position += 1
        else:
            while self.peek().isalpha() or self.peek().isdecimal() or self.peek() == "_":
                self.position += 1
        return self.text[start : self.position]


class _Words:
    """Words in the making: white space ends one, unless it was quoted or escaped."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word = ""

    def add(self, text: str) -> None:
        for char in text:
            if char not in SPACES:
                self.word += char
            elif self.word:
                self.finish()

    def add_raw(self, text: str) -> None:
        self.word += text

    def finish(self) -> list[str]:
        """All words so far; the one in the making is ended."""
        if self.word:
            self.words.append(self.word)
            self.word = ""
        return self.words
