"""Splits the text after an instruction's name into flags and words.

Words keep their quotes and escapes, which are resolved when variables are expanded. Each word knows its offsets in
the logical line. The rules are those of BuildKit's `parser/line_parsers.go` and `parser/split_command.go`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pybuild.lang.dockerfile.characters import SEPARATORS, SPACES, replace_invalid
from pybuild.lang.dockerfile.strictjson import read_json

_GAP = re.compile(f"[{SEPARATORS}]+")


class Word(NamedTuple):
    """A word and the half-open range of offsets it was read from."""

    text: str
    start: int
    end: int

    def strip(self) -> Word:
        """Return the word without white space at its ends."""
        start = self.start + len(self.text) - len(self.text.lstrip(SPACES))
        text = self.text.strip(SPACES)
        return Word(text, start, start + len(text))


class NotStrings(Exception):
    """A JSON array that holds something other than strings."""


def split_once(word: Word) -> tuple[Word, Word | None]:
    """Return the text before the first run of separators and the text after it, None without separators."""
    text = word.text
    cut = next((index for index, char in enumerate(text) if char in SEPARATORS), None)
    if cut is None:
        return word, None
    rest = text[cut:].lstrip(SEPARATORS)
    return Word(text[:cut], word.start, word.start + cut), Word(rest, word.end - len(rest), word.end)


def split_plain(rest: Word) -> list[Word]:
    """Split a text at separators; quotes mean nothing."""
    if not rest.text:
        return []
    words: list[Word] = []
    start = 0
    for gap in _GAP.finditer(rest.text):
        words.append(Word(rest.text[start : gap.start()], rest.start + start, rest.start + gap.start()))
        start = gap.end()
    return [*words, Word(rest.text[start:], rest.start + start, rest.end)]


def split_quoted(rest: Word, escape: str) -> list[Word]:
    """Split a text at white space, except where quotes or the escape character protect it."""
    words: list[Word] = []
    end = len(rest.text)
    position = 0
    while position < end:
        if rest.text[position] in SPACES:
            position += 1
            continue
        start = position
        text, position, quoted = _quoted_word(rest.text, position, escape)
        if text or quoted:
            words.append(Word(text, rest.start + start, rest.start + position))
    return words


def _quoted_word(text: str, position: int, escape: str) -> tuple[str, int, bool]:
    """Return the word at `position`, its end, and whether it has a quote in it."""
    out: list[str] = []
    quote = ""
    quoted = False
    while position < len(text):
        char = text[position]
        if not quote and char in SPACES:
            break
        if char == escape and quote != "'":
            # An escape character at the very end is dropped.
            if position + 1 < len(text):
                out.append(text[position : position + 2])
            position += 2
            continue
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote, quoted = char, True
        out.append(char)
        position += 1
    return "".join(out), min(position, len(text)), quoted


def take_flags(rest: Word, escape: str) -> tuple[list[Word], Word]:
    """Return the leading `--flag` words, quotes and escapes resolved, and the text after them.

    A bare `--` ends the flags and is dropped.
    """
    text = rest.text
    flags: list[Word] = []
    position = 0
    while True:
        while position < len(text) and text[position] in SPACES:
            position += 1
        if not text.startswith("--", position):
            return flags, Word(text[position:], rest.start + position, rest.end)
        start = position
        flag, position = _flag_word(text, position, escape)
        if flag == "--":
            return flags, Word(text[position:], rest.start + position, rest.end)
        flags.append(Word(flag, rest.start + start, rest.start + position))


def _flag_word(text: str, position: int, escape: str) -> tuple[str, int]:
    out: list[str] = []
    quote = ""
    while position < len(text):
        char = text[position]
        if char == escape:
            out.append(text[position + 1 : position + 2])
            position += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in SPACES:
            break
        elif char in "'\"":
            quote = char
        else:
            out.append(char)
        position += 1
    return "".join(out), min(position, len(text))


def json_words(rest: Word) -> list[Word] | None:
    """Return the strings of a JSON array, None if `rest` isn't one. Raises NotStrings.

    Every word spans the whole array.
    """
    if not rest.text.startswith("["):
        return None
    try:
        values = read_json(rest.text)
    except ValueError:
        return None
    assert isinstance(values, list)
    if not all(isinstance(value, str) for value in values):
        raise NotStrings
    return [Word(replace_invalid(value), rest.start, rest.end) for value in values]


def pairs(words: list[Word]) -> Iterator[tuple[Word, Word, Word | None]]:
    """Yield each word with the part before its first `=` and the part after it (None if it has no `=`)."""
    for word in words:
        key, equals, value = word.text.partition("=")
        if equals:
            start = min(word.start + len(key) + 1, word.end)
            yield word, Word(key, word.start, start - 1), Word(value, start, word.end)
        else:
            yield word, word, None
