"""Values of a Dockerfile that consist of known text and expressions of the language, and their written form.

A value is a sequence of pieces: literal text, an expression that is inserted (`${{ }}`), or a variable of the image
environment that the language expands itself (`$NAME`, in `env` and `workdir` only).
"""

from __future__ import annotations

import re

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

_EMPTY: Final = '""'
_OPENS: Final = "${{"
_CHOICE: Final = re.compile(r"\bif\b")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_]")
_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", "\\": "\\\\", '"': '\\"'}


@frozen
class StringExpression:
    """An expression of type `str`. `empty`: it may be empty; `local`: it is valid in bodies only."""

    code: str
    empty: bool = True
    local: bool = False


@frozen
class Native:
    """A variable of the image environment."""

    name: str


Piece = str | StringExpression | Native
Value = tuple[Piece, ...]


def joined(pieces: Iterable[Piece]) -> Value:
    """Return the value with empty texts removed and adjacent texts joined."""
    out: list[Piece] = []
    for piece in pieces:
        if piece == "":
            continue
        if isinstance(piece, str) and out and isinstance(out[-1], str):
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


def literal(text: str) -> Value:
    return joined((text,))


def known(value: Value) -> str | None:
    """Return the text of a value; None if it depends on anything."""
    if not value:
        return ""
    return value[0] if len(value) == 1 and isinstance(value[0], str) else None


def may_be_empty(value: Value) -> bool:
    """True if the value can be an empty text."""
    return all(isinstance(piece, StringExpression) and piece.empty for piece in value)


def is_local(value: Value) -> bool:
    """True if it is valid in bodies only."""
    return any(
        isinstance(piece, Native) or (isinstance(piece, StringExpression) and piece.local) for piece in value
    )


def written(value: Value) -> str:
    """Return the value as an expression of the language."""
    if not value:
        return _EMPTY
    if len(value) == 1 and isinstance(value[0], StringExpression):
        return value[0].code
    return quoted(value)


def quoted(value: Value) -> str:
    """Return the value as a string of the language."""
    out = []
    for place, piece in enumerate(value):
        if isinstance(piece, str):
            following = value[place + 1] if place + 1 < len(value) else ""
            out.append(_escaped(piece, last=not isinstance(following, StringExpression | Native)))
        elif isinstance(piece, StringExpression):
            out.append(f"${{{{{piece.code}}}}}")
        else:
            following = value[place + 1] if place + 1 < len(value) else ""
            alone = not (isinstance(following, str) and _PLAIN.match(following))
            out.append(f"${piece.name}" if alone else f"${{{piece.name}}}")
    return '"' + "".join(out) + '"'


def string(text: str) -> str:
    """Return a text as a string of the language."""
    return written(literal(text))


def strings(texts: Iterable[str]) -> str:
    """Return the words of a command as a list of the language, in which `$NAME` is left to the program."""
    return "[" + ", ".join(map(_word, texts)) + "]"


def _word(text: str) -> str:
    return string(text) if _OPENS in text else string(text).replace("\\$", "$")


def operand(code: str) -> str:
    """Return an expression with the parentheses that an `if … else` around it needs."""
    return f"({code})" if _CHOICE.search(code) else code


def condition(value: Value, operator: str = "!=") -> str:
    """Return an expression that is true if a value made of insertions is not empty (for `==`: is empty)."""
    codes = [operand(piece.code) for piece in value if isinstance(piece, StringExpression)]
    return f'{" + ".join(codes)} {operator} ""'


def raw(value: Value) -> str | None:
    """Return the value as raw text; None if that can't hold it."""
    out = ""
    for piece in value:
        if isinstance(piece, Native):
            return None
        if isinstance(piece, str) and "$" + _OPENS not in piece:
            out += piece.replace(_OPENS, "$" + _OPENS)
        elif isinstance(piece, StringExpression) and not out.endswith("$"):
            out += f"${{{{{piece.code}}}}}"
        else:
            return None
    return out


def _escaped(text: str, *, last: bool) -> str:
    out = []
    for place, char in enumerate(text):
        if char == "$":
            following = text[place + 1 : place + 2]
            harmless = following in (" ", ",", ".", "/") if following else last
            out.append("$" if harmless else "\\$")
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif not char.isprintable():
            out.append(f"\\u{{{ord(char):X}}}")
        else:
            out.append(char)
    return "".join(out)
