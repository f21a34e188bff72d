"""Selections of the command line: `NAME`, `module.NAME`, `NAME[axis=value,…]` (language spec, sections 13 and 22)."""

from __future__ import annotations

import re

from attrs import frozen

from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual.problems import expansion as problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SELECTION: Final = re.compile(r"(?P<name>[^\[\]]*)(?:\[(?P<inside>.*)\])?", re.DOTALL)
_CHOICE: Final = re.compile(
    r"""\s*(?P<axis>[^=,\s"]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^,"]*?))\s*(?P<end>,|$)""",
    re.DOTALL,
)


@frozen
class Selection:
    """A parsed selection. `text` is as written; in `name` and the axes, `-` is replaced by `_`; values are texts."""

    text: str
    name: str
    choices: tuple[tuple[str, str], ...]


def parse(text: str) -> Selection:
    """Parse a selection. Raises E0706 if it is malformed."""
    match = _SELECTION.fullmatch(text)
    if match is None:
        raise SourceError(problems.bad_selection(text, "a bracket stands alone"))
    if not match["name"]:
        raise SourceError(problems.bad_selection(text, "it has no name"))
    inside = match["inside"]
    choices = _choices(text, inside) if inside is not None else ()
    return Selection(text, match["name"].replace("-", "_"), choices)


def _choices(text: str, inside: str) -> tuple[tuple[str, str], ...]:
    out: dict[str, str] = {}
    position, comma = 0, False
    while position < len(inside) or comma:
        match = _CHOICE.match(inside, position)
        if match is None:
            raise SourceError(problems.bad_selection(text, "`axis=value` expected"))
        axis = match["axis"].replace("-", "_")
        if axis in out:
            raise SourceError(problems.bad_selection(text, f"`{axis}` is chosen twice"))
        quoted = match["quoted"]
        out[axis] = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else match["plain"]
        position, comma = match.end(), match["end"] == ","
        if comma and position == len(inside):
            break
    return tuple(out.items())
