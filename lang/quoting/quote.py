"""Quote the values of a script for the places where they stand (language spec, section 11).

pieces of a script ── scanner ──> a place for each slot ── values ──> text for each slot ──> the script
"""

from __future__ import annotations

import re
from bisect import bisect_left

from attrs import evolve

from pybuild.lang import recipe
from pybuild.lang.quoting.heredocs import ends_early
from pybuild.lang.quoting.places import QUOTABLE, SLOT, Heredoc, Kind, Place, Slot
from pybuild.lang.quoting.scanner import examine
from pybuild.lang.quoting.shells import is_sh_like
from pybuild.lang.quoting.values import Refused, takes_list, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_BODIES: Final = re.compile(r"<<([^\n]*)")
_ALIAS: Final = re.compile(r"\balias\b")
_DECLARATION: Final = (
    r"\b(?:declare|typeset|local|readonly|export)(?:(?:[ \t]|\\\n)+[-+][A-Za-z]+)*"
    r"(?:[ \t]|\\\n)+[\"']?-[A-Za-z]*"
)
_INTEGER: Final = re.compile(_DECLARATION + r"[in]|(?:^|[;&|(\n])[ \t]*(?:integer|nameref)[ \t]")
_ARRAY: Final = re.compile(_DECLARATION + r"[aA]|=\(|\b(?:mapfile|readarray|read[ \t]+-[A-Za-z]*a)")


class CannotQuote(Exception):
    """A value that can't be inserted. `code` is E0307 for a list, else E0308."""

    def __init__(self, code: str, splice: recipe.Splice, place: Place, reason: str = "") -> None:
        super().__init__(f"{code}: {place.kind.value}")
        self.code = code
        self.splice = splice
        self.place = place
        self.reason = reason


def quote(script: recipe.Script, *, shell: tuple[str, ...], interpreter: bool) -> str:
    """Return the script as text with its values quoted.

    `shell` is the command that gets the script as its last argument; `interpreter` marks a `#!` script, which no
    shell reads. Raises `CannotQuote` for the first value that can't be written at its place."""
    slots, places, text = _placed(script, shell, interpreter)
    out = []
    after = "\n".join(_BODIES.findall(text)) if "<<" in text else ""
    for splice, place in zip(slots, places, strict=True):
        try:
            out.append(_written(splice, place, after))
        except Refused as refused:
            raise CannotQuote("E0308", splice, place, str(refused)) from None
    _check_bodies(text, slots, places, out)
    return _joined(text, out)


def _placed(
    script: recipe.Script, shell: tuple[str, ...], interpreter: bool
) -> tuple[list[recipe.Splice], Sequence[Place], str]:
    pieces: list[str | Slot] = []
    slots: list[recipe.Splice] = []
    for piece in script:
        if isinstance(piece, str):
            pieces.append(_text(piece, recipe.Splice(piece)))
        elif piece.raw:
            value = piece.value if isinstance(piece.value, str) else " ".join(piece.value)
            pieces.append(_text(value, piece))
        else:
            pieces.append(SLOT)
            slots.append(piece)
    foreign = None if is_sh_like(shell) else Kind.SHELL
    scan = examine(pieces, opaque=Kind.INTERPRETER if interpreter else foreign)
    return slots, _regarding(scan.places, scan.text), scan.text


def _text(text: str, splice: recipe.Splice) -> str:
    if "\0" in text:
        raise CannotQuote("E0308", splice, Place(Kind.UNKNOWN), "no script can have a NUL character")
    return text


def _regarding(places: Sequence[Place], text: str) -> Sequence[Place]:
    """Tighten the places by what else the script contains.

    An alias can stand for any code, but a quoted word is never an alias. Bash evaluates every assignment to an
    integer or a reference; with arrays, it evaluates the assignments of `declare`."""
    if _ALIAS.search(text):
        places = [evolve(place, forced=True) if place.kind is Kind.BARE else place for place in places]
    if _INTEGER.search(text):
        return [evolve(place, evaluated=True) for place in places]
    if _ARRAY.search(text):
        return [evolve(place, evaluated=True) if place.declared else place for place in places]
    return places


def _written(splice: recipe.Splice, place: Place, after: str) -> str:
    if not isinstance(splice.value, str):
        if not takes_list(place):
            raise CannotQuote("E0307", splice, place)
        return " ".join([written(item, place) for item in splice.value])
    value = written(splice.value, place)
    # A here-document may be open in text that is not parsed, and a part of its delimiter could end it.
    if after and place.kind not in QUOTABLE and value in after:
        raise Refused("the value may be taken for the delimiter of a here-document")
    return value


def _joined(text: str, values: Sequence[str]) -> str:
    parts = text.split("\0")
    out = [parts[0]]
    for value, part in zip(values, parts[1:], strict=True):
        out += value, part
    return "".join(out)


def _check_bodies(
    text: str, slots: Sequence[recipe.Splice], places: Sequence[Place], values: Sequence[str]
) -> None:
    """Raise `CannotQuote` if values make a line that ends the here-document around them."""
    heredocs: dict[Heredoc, None] = {heredoc: None for place in places for heredoc in place.heredocs}
    offsets = [place.offset for place in places]
    for heredoc in heredocs:
        first, last = bisect_left(offsets, heredoc.start), bisect_left(offsets, heredoc.end)
        if ends_early(heredoc, _joined(text[heredoc.start : heredoc.end], values[first:last])):
            index = next((one for one in range(first, last) if "\n" in values[one]), first)
            reason = f"a line would be taken for the delimiter `{heredoc.delimiter}`"
            raise CannotQuote("E0308", slots[index], places[index], reason)
