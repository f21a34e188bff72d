"""Heredoc words: `<<NAME`, `<<-NAME`, `3<<"NAME"`, `<< NAME`, anywhere among the words of a line.

A heredoc word is found by splitting the line into shell words. Its name is the rest of the word after shell
processing; a quote in it means that the body isn't expanded. No variable is set at that time, so `$NAME` stays as
written. The escape character is always the backslash here, whatever the `escape` directive says. The rules are those
of BuildKit's `parser/parser.go`.
"""

from __future__ import annotations

import re

from pybuild.lang.dockerfile.characters import BLANKS
from pybuild.lang.dockerfile.instructions import Heredoc
from pybuild.lang.dockerfile.words import Lex, WordError

_SPACED = re.compile(f"[0-9]*<<-?[{BLANKS}]")
_DIGITS = "0123456789"
_LARGEST = 2**64 - 1


def parse_heredoc(word: str) -> Heredoc | None:
    """Return the heredoc that `word` opens, its content empty; None if it opens none or is malformed."""
    try:
        return _read(word)
    except WordError:
        return None


def is_heredoc(word: str) -> bool:
    """True if `word` opens a well-formed heredoc."""
    return parse_heredoc(word) is not None


def _read(word: str) -> Heredoc | None:
    """Return the heredoc that `word` opens, None if it opens none. Raises WordError for a malformed name."""
    digits = word[: len(word) - len(word.lstrip(_DIGITS))]
    mark, name = word[len(digits) : len(digits) + 2], word[len(digits) + 2 :]
    chomp = name.startswith("-")
    name = name.removeprefix("-").lstrip(BLANKS)
    if mark != "<<" or not name or "<" in name:
        return None
    words = _shell_words(name)
    if len(words) != 1:
        return None
    raw = _shell_words(name, raw_quotes=True)
    if len(raw) != 1:
        raise WordError(f"the heredoc name {name} is not one word")
    # Quotes that vanished in shell processing were real ones, so the body isn't expanded.
    expand = _quotes(words[0]) == _quotes(raw[0])
    # BuildKit reads the descriptor as a uint64 and ignores overflow; 21 digits are enough to exceed it.
    descriptor = min(int(digits[:21]), _LARGEST) if digits else 0
    return Heredoc(words[0], "", expand=expand, chomp=chomp, file_descriptor=descriptor)


def heredocs_of(line: str) -> list[tuple[Heredoc, bool]]:
    """Return the heredocs that the words of `line` open, in order, and for each whether blanks precede its name.

    Their contents are empty. A line that can't be split into shell words opens none. Raises WordError.
    """
    if "<<" not in line:
        return []
    try:
        words = _shell_words(line, raw_quotes=True, raw_escapes=True)
    except WordError:
        return []
    heredocs = ((_read(word), word) for word in words)
    return [(heredoc, bool(_SPACED.match(word))) for heredoc, word in heredocs if heredoc is not None]


def _quotes(word: str) -> int:
    return word.count("'") + word.count('"')


def _shell_words(text: str, *, raw_quotes: bool = False, raw_escapes: bool = False) -> list[str]:
    """Split `text` as a shell would with no variable set. Raises WordError."""
    lex = Lex("\\")
    lex.skip_unset_env = True
    lex.raw_quotes = raw_quotes
    lex.raw_escapes = raw_escapes
    return lex.words(text, {})
