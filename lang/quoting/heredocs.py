"""Here-documents: their delimiters, the ends of their bodies, and whether a value would move such an end."""

from __future__ import annotations

import re

from attrs import evolve

from pybuild.lang.quoting.places import Heredoc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_BODIES = 8
"""The deepest nesting of here-documents. Each level scans its text again, so depth costs time."""


class Unsure(Exception):
    """The end of a scan: shells disagree on the following text, or it isn't a script. The message is the reason."""


# Possessive quantifiers: a long word that is no delimiter is not read again and again.
_DELIMITER = re.compile(
    r"""[ \t]*((?:'[^'\n\0]*'|"[^"\n\0$`\\]*"|\\[^\n\0]|[^\0\s'"\\`$;&|()<>#]++)++)(?=[ \t\n;&|()<>]|\Z)"""
)
_QUOTING = re.compile(r"""'([^']*)'|"([^"]*)"|\\(.)""")
_CONTINUED = re.compile(r"\\(.)", re.DOTALL)
_TOUCHY = re.compile(r"(?:\A|\n)\t|\n\Z")


def read_delimiter(text: str, at: int, end: int, *, strip: bool, nested: bool) -> tuple[Heredoc, int] | None:
    """Read the delimiter of the here-document whose operator ends at `at`.

    Returns the here-document and the offset after its delimiter, or None if a slot is part of the delimiter.
    Raises `Unsure`."""
    match = _DELIMITER.match(text, at, end)
    if match is None:
        stop = re.compile(r"[^\n;&|()<>]*").match(text, at, end)
        if stop is not None and "\0" in stop[0].strip(" \t").split(" ")[0]:
            return None
        raise Unsure("the delimiter of a here-document")
    word = match[1]
    delimiter = _QUOTING.sub(lambda quoting: quoting[1] or quoting[2] or quoting[3] or "", word)
    return Heredoc(delimiter, delimiter != word or word[:1] in "'\"", strip, nested), match.end()


def find_body(text: str, start: int, limit: int, heredoc: Heredoc) -> tuple[Heredoc, int]:
    """Find the body that starts at `start`.

    Returns the here-document with its body's place, and the offset after the delimiter's line. Raises `Unsure`."""
    at, joined = start, ""
    while at < limit:
        end = text.find("\n", at, limit)
        end = limit if end < 0 else end
        line = text[at:end].lstrip("\t") if heredoc.strip else text[at:end]
        if joined:
            if line == heredoc.delimiter or joined + line == heredoc.delimiter:
                raise Unsure("a line that goes on and a delimiter")
        elif line == heredoc.delimiter:
            return evolve(heredoc, start=start, end=at), min(end + 1, limit)
        # Inside a substitution bash accepts `EOF)` as the end, other shells don't.
        if heredoc.nested and line.startswith(heredoc.delimiter):
            raise Unsure("a line that starts with the delimiter of a here-document")
        joined = ""
        if not heredoc.raw and (len(line) - len(line.rstrip("\\"))) % 2:
            # A continued line can join with the next one to a delimiter. No more of it than that needs is kept, so a
            # long chain stays linear; "\0" stands for an empty one.
            joined = line[:-1][: len(heredoc.delimiter) + 1] or "\0"
        at = end + 1
    if heredoc.nested or limit < len(text):
        raise Unsure("a here-document without an end")
    return evolve(heredoc, start=start, end=limit), limit


def keeps_tabs(value: str) -> bool:
    """Tell whether `<<-` leaves a value unchanged: it drops tabs at the start of lines."""
    return not _TOUCHY.search(value)


def ends_early(heredoc: Heredoc, body: str) -> bool:
    """Tell whether a line of the body, with its values filled in, would be read as the delimiter."""
    return any(_ends(heredoc, line) for line in _lines(heredoc, body))


def _lines(heredoc: Heredoc, body: str) -> Iterator[str]:
    yield from body.split("\n")
    if not heredoc.raw and "\\\n" in body:
        yield from _CONTINUED.sub(
            lambda continuation: "" if continuation[1] == "\n" else continuation[0], body
        ).split("\n")


def _ends(heredoc: Heredoc, line: str) -> bool:
    line = line.lstrip("\t") if heredoc.strip else line
    return line.startswith(heredoc.delimiter) if heredoc.nested else line == heredoc.delimiter
