"""Splits an instruction's logical line into tokens, between which white space has no meaning.

A token is kept as it is, line breaks included. Text for a shell is one token; so is the trigger of an ONBUILD, which
an image stores as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pybuild.lang.dockerfile.nodes import Node

BLANKS = " \t"

_JSON = re.compile(r'"(?:\\.|[^"\\])*"|[\[\],]|[^\s\[\],"]+')


class Token(NamedTuple):
    """A range of the logical line; `text`, if any, replaces it.

    The white space before a `loose` token may have any length, even none, and is kept within a line.
    """

    start: int
    end: int
    text: str | None = None
    loose: bool = False


class Tokens(NamedTuple):
    """The tokens of one instruction.

    With `shell`, continuation lines are part of a shell's text, so their indentation is kept.
    """

    items: list[Token]
    shell: bool = False


def tokens_of(node: Node) -> Tokens:
    """Return the tokens of a node that parses."""
    kind = node.name.text.lower()
    name = Token(node.name.start, node.name.end, node.name.text.upper())
    if kind == "onbuild":
        rest = node.line.text[node.name.end :]
        start = len(node.line.text) - len(rest.lstrip(BLANKS))
        return Tokens([name, Token(start, len(node.line.text))], shell=True)
    flags = [Token(flag.start, flag.end) for flag in node.flags]
    arguments, shell = _arguments(node, kind)
    return Tokens([name, *flags, *arguments], shell)


def _arguments(node: Node, kind: str) -> tuple[list[Token], bool]:
    rest = Token(node.rest.start, node.rest.end)
    if kind == "healthcheck":
        return _healthcheck(node)
    if node.json:
        return _json(node, rest), False
    if kind in ("run", "cmd", "entrypoint"):
        return ([rest] if node.rest.text else []), True
    if kind in ("env", "label"):
        return list(_pairs(node)), False
    if node.heredocs and any(quote in node.rest.text for quote in "'\"\\"):
        return [rest], True  # the name of a heredoc may hold white space
    if node.rest.text.startswith("["):
        return [rest], True  # no array of strings, but with other white space it might be one
    if kind == "from" and len(node.words) == 3:
        image, word, name = (Token(word.start, word.end) for word in node.words)
        return [image, word._replace(text="AS"), name], False
    return [Token(word.start, word.end) for word in node.words], False


def _pairs(node: Node) -> Iterator[Token]:
    """Yield tokens of `name=value …`; in the form `name value` the value extends to the end of the line."""
    for key, value, mark in zip(node.words[::3], node.words[1::3], node.words[2::3], strict=True):
        if mark.text:
            yield Token(key.start, value.end)
        else:
            yield Token(key.start, key.end)
            yield Token(value.start, value.end)


def _healthcheck(node: Node) -> tuple[list[Token], bool]:
    kind, *words = node.words
    first = Token(kind.start, kind.end, kind.text.upper())
    if node.json:
        start = words[0].start if words else kind.end + _blanks(node.line.text[kind.end :])
        return [first, *_json(node, Token(start, node.rest.end))], False
    return [first, *(Token(word.start, word.end) for word in words)], True


def _json(node: Node, array: Token) -> list[Token]:
    text = node.line.text[array.start : array.end]
    return [
        Token(array.start + match.start(), array.start + match.end(), loose=match.start() > 0)
        for match in _JSON.finditer(text)
    ]


def _blanks(text: str) -> int:
    return len(text) - len(text.lstrip(BLANKS))
