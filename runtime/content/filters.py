"""containerd's filter expressions: `type==regular,description~=/^mount /`, as BuildKit's clients send them.

    selectors := selector ("," selector)*      all of them hold
    selector  := fieldpath (operator value)?   without an operator: the field is there
    fieldpath := field ("." field)*
    field     := [A-Za-z0-9_]+ | quoted
    operator  := "==" | "!=" | "~="
    value     := quoted | any run of visible characters but ","
    quoted    := a string in double quotes; behind "~=" also between slashes or bars

Space before a token is skipped. Several expressions match if one of them does; no expression matches everything.
The grammar and the errors are those of containerd's package `filters`.
"""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Fields = Callable[[Sequence[str]], str | None]
    """Maps a field's path to its value; None for a field that is absent."""

    Filter = Callable[[Fields], bool]

_QUOTES = '"/|'
_FIELD = re.compile(r"[A-Za-z0-9_]+")
_OPERATOR = re.compile(r"[=!~]+")
_SPACE = re.compile(r"\s*")
_OPERATORS = ("==", "!=", "~=")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_NAMED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class FilterError(UserError):
    """A filter expression can't be read."""


def parse_all(texts: Sequence[str]) -> Filter:
    """Return a filter that matches if one of the expressions does. Raises FilterError."""
    filters = [parse(text) for text in texts]
    return lambda fields: not filters or any(one(fields) for one in filters)


def parse(text: str) -> Filter:
    """Return the filter of one expression. Raises FilterError."""
    if not text:
        return lambda _: True
    selectors = _Parser(text).selectors()
    return lambda fields: all(one(fields) for one in selectors)


class _Parser:
    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def selectors(self) -> list[Filter]:
        selectors = [self._selector()]
        while self._at < len(self._text):
            if self._text[self._at] != ",":
                raise self._error(f"unexpected input: {self._text[self._at]}")
            self._at += 1
            selectors.append(self._selector())
        return selectors

    def _selector(self) -> Filter:
        path = [self._field()]
        while self._next() == ".":
            self._at += 1
            path.append(self._field())
        if self._next() in ("", ","):
            return lambda fields: fields(path) is not None
        operator = self._operator()
        value = self._value(operator)
        if operator == "==":
            return lambda fields: fields(path) == value
        if operator == "!=":
            return lambda fields: (fields(path) or "") != value
        return _matching(path, value)

    def _field(self) -> str:
        self._skip_space()
        if self._next() and self._next() in _QUOTES:
            return self._quoted(alternative=False)
        match = _FIELD.match(self._text, self._at)
        if match is None:
            raise self._error("expected field or quoted")
        self._at = match.end()
        return match[0]

    def _operator(self) -> str:
        self._skip_space()
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            raise self._error('expected an operator ("=="|"!="|"~=")')
        if match[0] not in _OPERATORS:
            raise self._error(f'unsupported operator "{match[0]}"')
        self._at = match.end()
        return match[0]

    def _value(self, operator: str) -> str:
        self._skip_space()
        first = self._next()
        if first and first in _QUOTES:
            return self._quoted(alternative=operator == "~=")
        if not first or first in ",.=!~":
            raise self._error("expected value or quoted")
        start = self._at
        while (one := self._next()) and one != "," and not one.isspace() and one.isprintable():
            self._at += 1
        if self._at == start:
            raise self._error("expected value or quoted")
        return self._text[start : self._at]

    def _quoted(self, *, alternative: bool) -> str:
        start, quote = self._at, self._text[self._at]
        if not alternative and quote != '"':
            raise self._error("invalid quote encountered")
        end = start + 1
        while end < len(self._text) and self._text[end] != quote:
            if self._text[end] == "\n":
                raise self._error("newline in quoted string")
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise self._error("quoted string not terminated")
        self._at = end + 1
        return _ESCAPE.sub(lambda match: self._unescaped(match, quote, start), self._text[start + 1 : end])

    def _unescaped(self, match: re.Match[str], quote: str, start: int) -> str:
        named, *numbers, other = match.groups()
        if named is not None:
            return _NAMED[named]
        if other == quote:
            return quote
        for digits, base in zip(numbers, (8, 16, 16, 16), strict=True):
            if digits is not None and int(digits, base) <= 0x10FFFF:
                return chr(int(digits, base))
        self._at = start
        raise self._error("illegal escape sequence")

    def _next(self) -> str:
        """The character at the current position, "" at the end."""
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()

    def _error(self, problem: str) -> FilterError:
        """An error that shows the position as containerd's does."""
        text, at = self._text, self._at
        place = text if at >= len(text) else f"{text[:at]} >|{text[at]}|< {text[at + 1 :]}"
        return FilterError(f"filters: parse error: [{place}]: {problem}: invalid argument")


def _matching(path: Sequence[str], pattern: str) -> Filter:
    """A filter by regular expression. A pattern that can't be compiled matches nothing."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return lambda _: False
    return lambda fields: compiled.search(fields(path) or "") is not None
