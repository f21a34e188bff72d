"""Comments of a Dockerfile, which its parser drops: those between two instructions belong to the second."""

from __future__ import annotations

from pybuild.lang.dockerfile.directives import read_directive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.source import Source


def directives_end(source: Source) -> int:
    """The number of the last line with a directive, 0 if there is none."""
    number, seen = 0, set[str]()
    while (directive := read_directive(source.line(number + 1), "#")) is not None:
        if directive.name in seen:
            break
        seen.add(directive.name)
        number += 1
    return number


def comments_between(source: Source, after: int, before: int) -> list[str]:
    """The comments of the lines after one and before another; an empty row is one or more blank lines."""
    out: list[str] = []
    for number in range(after + 1, before):
        row = source.line(number).strip()
        if row.startswith("#") and row.isprintable():
            out.append(row)
        elif not row and (not out or out[-1]):
            out.append("")
    return out
