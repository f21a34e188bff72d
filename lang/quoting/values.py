"""How a value is written at a place, so that it arrives as exactly that text, or that it cannot be.

What is stricter than the table of the spec's section 11, each because a value would not arrive as it is:
- a word that touches `$NAME` before it is quoted; in double quotes it is set apart by `""`, and in a here-document
  refused, if it would go on with the name, or is empty and lets the text after it do so; after a lone `$` or a
  backslash every value is refused
- a plain word is quoted where a shell does more with it: after `~` or in `[…]` (expansions), with `..` after `{`,
  glued to text in command position, beginning with `%` (a job of bash) or, as the script's first character, with
  `-` or `+` (an option of the shell), in `[[ … ]]`, and everywhere if the script has aliases
- a list is refused where exactly one word is read: as target of a redirection, in `case`, `for NAME`, `[[ … ]]`
- arithmetic takes numbers only: `a-b` and names are expressions; `${…}` takes letters, digits, `_` and `.` where
  there is no operator like `:-` before
- what bash evaluates even in quotes takes plain words only: `[[ … -eq … ]]`, array subscripts, the target of `>&`
  (expanded twice), assignments to `PS4`, `RANDOM` and the like; arguments of `declare`, `export`, … in scripts with
  arrays (a text in parentheses is a list of code to it), and everything in scripts with integers or references
- a line end is refused between `<<EOF` and the next line; in a here-document all lines that values make are compared
  with the delimiter; `<<-` refuses values with tabs that it would drop; in `$(…)` of a here-document bash drops a
  backslash before a line end even in single quotes, and doubles U+0001 in a here-document in `$(…)`
- NUL and what isn't Unicode text are refused

Programs and builtins get their values exactly; what they do with them is theirs (`eval`, `test -v`, `printf -v`,
`unset` evaluate), and so is what the script does with a variable later: in bash `$((X))` evaluates the text in `X`.
The locale's encoding is taken to be UTF-8 or one byte per character.
"""

from __future__ import annotations

import re

from pybuild.lang.quoting.heredocs import keeps_tabs
from pybuild.lang.quoting.places import NOWHERE, Kind, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+:./-]+")
RESERVED: Final = frozenset(
    "if then else elif fi do done case esac while until for in select function time coproc namespace".split()
)
_NUMBER: Final = re.compile(r"-?[0-9]+|0[xX][0-9A-Fa-f]+")
_PART: Final = re.compile(r"[A-Za-z0-9_.]+")
_NAMED: Final = re.compile(r"[A-Za-z0-9_]|\Z")
_IN_DOUBLE: Final = re.compile(r'[\\"$`]')
_IN_BODY: Final = re.compile(r"[\\$`]")
_CONTINUED: Final = re.compile(r"\\\n|\\\Z|\A\n")
_MARKS: Final = re.compile(r"[\x01\x7f]")
_SHELL_TEXT: Final = frozenset((Kind.BACKTICK, Kind.UNKNOWN, Kind.SHELL))


class Refused(Exception):
    """The value has no way to be written there. The text is the reason."""


def takes_list(place: Place) -> bool:
    return place.kind is Kind.BARE and not place.glued and not place.lone


def is_plain(value: str) -> bool:
    """Whether a value means itself in every part of a script."""
    return PLAIN.fullmatch(value) is not None and value not in RESERVED


def written(value: str, place: Place) -> str:
    """The value as text of the script. Raises `Refused`."""
    if "\0" in value:
        raise Refused("no argument can have a NUL character")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise Refused("the value is not Unicode text")
    if place.kind in NOWHERE:
        raise Refused(f"a value cannot be {place.kind.value}")
    if place.waiting and "\n" in value:
        raise Refused("the value has several lines, and the body of a here-document begins at the next one")
    _check_bodies(value, place)
    if place.evaluated and not PLAIN.fullmatch(value):
        raise Refused("bash evaluates what stands here, so only a plain word is safe")
    match place.kind:
        case Kind.BARE:
            return _bare(value, place)
        case Kind.DOUBLE:
            apart = '""' if place.after_name and _NAMED.match(value) else ""
            return apart + _IN_DOUBLE.sub(r"\\\g<0>", value)
        case Kind.SINGLE:
            return value.replace("'", "'\\''")
        case Kind.HEREDOC:
            if place.after_name and _NAMED.match(value):
                raise Refused("the value would become part of the variable's name before it; write `${NAME}`")
            return _IN_BODY.sub(r"\\\g<0>", value)
        case Kind.RAW_HEREDOC:
            return value
    return _verbatim(value, place)


def _check_bodies(value: str, place: Place) -> None:
    if not place.heredocs:
        return
    if any(heredoc.strip for heredoc in place.heredocs) and not keeps_tabs(value):
        raise Refused("`<<-` would drop tabs of the value")
    if any(heredoc.nested for heredoc in place.heredocs) and _MARKS.search(value):
        raise Refused("bash would double control characters of the value in a here-document in `$(…)`")
    direct = place.kind in (Kind.HEREDOC, Kind.RAW_HEREDOC)
    around = place.heredocs[:-1] if direct else place.heredocs
    escaped = place.kind in (Kind.HEREDOC, Kind.DOUBLE)
    if around and not escaped and _CONTINUED.search(value):
        raise Refused("bash would drop a backslash before a line end in a here-document")


def _bare(value: str, place: Place) -> str:
    as_is = (
        is_plain(value)
        and not (place.forced or place.redirected)
        and not (place.braces and "." in value)
        and not value.startswith("%")
        and not (place.offset == 0 and value.startswith(("-", "+")))
    )
    return value if as_is else "'" + value.replace("'", "'\\''") + "'"


def _verbatim(value: str, place: Place) -> str:
    wanted = PLAIN
    if place.kind is Kind.ARITHMETIC:
        wanted = _NUMBER
    elif place.kind is Kind.PARAMETER and not place.operand:
        wanted = _PART
    if not wanted.fullmatch(value):
        what = "a number" if wanted is _NUMBER else "a plain word"
        raise Refused(f"only {what} can stand in {place.kind.value}")
    if place.offset == 0 and value.startswith(("-", "+")):
        raise Refused("the shell would take the script for an option")
    if place.kind in _SHELL_TEXT and (value in RESERVED or place.redirected):
        raise Refused("the shell would not read the value as a word")
    if place.after_name and _NAMED.match(value):
        raise Refused("the value would become part of the variable's name before it; write `${NAME}`")
    return value
