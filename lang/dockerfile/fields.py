"""Comma-separated fields, as in the values of RUN's `--mount` and `--device`.

The rules are those of Go's CSV reader, which BuildKit uses: a field may stand in double quotes, in which commas are
text and `""` is a quote; a quote anywhere else is an error.
"""

from __future__ import annotations


class BadFields(ValueError):
    """A text that can't be split into fields. `column` is the byte at fault, counted from 1; 0 for an empty text."""

    def __init__(self, problem: str, column: int = 0) -> None:
        super().__init__(f"parse error on line 1, column {column}: {problem}" if column else problem)
        self.column = column


def split_fields(text: str) -> list[str]:
    """Return the fields of one line. Raises BadFields."""
    if not text:
        raise BadFields("EOF")
    fields: list[str] = []
    at = 0
    while True:
        field, end = _quoted(text, at) if text.startswith('"', at) else _bare(text, at)
        fields.append(field)
        if end == len(text):
            return fields
        at = end + 1


def _bare(text: str, start: int) -> tuple[str, int]:
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    quote = text.find('"', start, end)
    if quote >= 0:
        raise _bad(text, quote, 'bare " in non-quoted field')
    return text[start:end], end


def _quoted(text: str, start: int) -> tuple[str, int]:
    parts: list[str] = []
    at = start + 1
    while True:
        quote = text.find('"', at)
        if quote < 0:
            raise _bad(text, len(text), 'extraneous or missing " in quoted-field')
        parts.append(text[at:quote])
        after = text[quote + 1 : quote + 2]
        if after in ("", ","):
            return "".join(parts), quote + 1
        if after != '"':
            raise _bad(text, quote, 'extraneous or missing " in quoted-field')
        parts.append('"')
        at = quote + 2


def _bad(text: str, index: int, problem: str) -> BadFields:
    return BadFields(problem, len(text[:index].encode(errors="surrogatepass")) + 1)
