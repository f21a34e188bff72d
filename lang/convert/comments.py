"""Finds comments of a Dockerfile, which its parser drops. Comments between two instructions belong to the second."""

from __future__ import annotations

from pybuild.lang.dockerfile.directives import read_directive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Source


def directives_end(source: Source) -> int:
    """Return the number of the last line with a directive, 0 without one."""
    number, seen = 0, set[str]()
    while (directive := read_directive(source.line(number + 1), "#")) is not None:
        if directive.name in seen:
            break
        seen.add(directive.name)
        number += 1
    return number


def comments_between(source: Source, after: int, before: int) -> list[str]:
    """Return the comments of the lines between two lines, both excluded; an empty row stands for one or more blank
    lines."""
    out: list[str] = []
    for number in range(after + 1, before):
        row = source.line(number).strip()
        if row.startswith("#") and row.isprintable():
            out.append(row)
        elif not row and (not out or out[-1]):
            out.append("")
    return out
