"""Write a value at a place so that the program gets exactly that text, or refuse it.

Rules beyond the table of the language spec, section 11; without each of them some value would be changed:

- A word that touches a preceding `$NAME` is quoted. If the value would continue the name, or is empty and lets the
  text after it do so, `""` separates it in double quotes, and a here-document refuses it. After a lone `$` or a
  backslash every value is refused.
- A plain word is quoted where a shell gives it more meaning: after `~` or in `[…]` (expansions), with `..` after
  `{`, glued to text in command position, beginning with `%` (a job of bash) or, as the script's first character,
  with `-` or `+` (an option of the shell), in `[[ … ]]`, and everywhere if the script has aliases.
- A list is refused where exactly one word is read: the target of a redirection, in `case`, `for NAME`, `[[ … ]]`.
- Arithmetic takes numbers only, as `a-b` and names are expressions. `${…}` takes letters, digits, `_` and `.` before
  an operator like `:-`.
- Places that bash evaluates even in quotes take plain words only: `[[ … -eq … ]]`, array subscripts, the target of
  `>&` (expanded twice), assignments to `PS4`, `RANDOM` and the like; arguments of `declare`, `export`, … in scripts
  with arrays (text in parentheses is a list of code to it); and every place in scripts with integers or references.
- A line end is refused between `<<EOF` and the next line. In a here-document all lines with values are compared with
  the delimiter. `<<-` refuses values with tabs that it would drop. In `$(…)` of a here-document bash drops a
  backslash before a line end even in single quotes, and it doubles U+0001 in a here-document in `$(…)`.
- NUL and text that isn't Unicode are refused.

Programs and builtins get their values exactly; how they use them is their business (`eval`, `test -v`, `printf
-v`, `unset` evaluate them), as is the script's later use of a variable: in bash `$((X))` evaluates the text in
`X`. The locale's encoding is assumed to be UTF-8 or one byte per character.
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
    """A value that can't be written at its place. The message is the reason."""


def takes_list(place: Place) -> bool:
    return place.kind is Kind.BARE and not place.glued and not place.lone


def is_plain(value: str) -> bool:
    """Tell whether a value means itself in every part of a script."""
    return PLAIN.fullmatch(value) is not None and value not in RESERVED


def written(value: str, place: Place) -> str:
    """Return the value as text of the script. Raises `Refused`."""
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
            separator = '""' if place.after_name and _NAMED.match(value) else ""
            return separator + _IN_DOUBLE.sub(r"\\\g<0>", value)
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
    pattern = PLAIN
    if place.kind is Kind.ARITHMETIC:
        pattern = _NUMBER
    elif place.kind is Kind.PARAMETER and not place.operand:
        pattern = _PART
    if not pattern.fullmatch(value):
        allowed = "a number" if pattern is _NUMBER else "a plain word"
        raise Refused(f"only {allowed} can stand in {place.kind.value}")
    if place.offset == 0 and value.startswith(("-", "+")):
        raise Refused("the shell would take the script for an option")
    if place.kind in _SHELL_TEXT and (value in RESERVED or place.redirected):
        raise Refused("the shell would not read the value as a word")
    if place.after_name and _NAMED.match(value):
        raise Refused("the value would become part of the variable's name before it; write `${NAME}`")
    return value
