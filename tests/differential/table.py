"""The table of `table.md`: which instruction, form and edge is covered by which cases.

    python tests/differential/table.py

lists the empty cells.
"""

from __future__ import annotations

import re
from pathlib import Path

from attrs import frozen


@frozen
class Cell:
    """A row of the table: `cases` are ids, `empty` the reason why there are none."""

    instruction: str
    form: str
    edge: str
    cases: tuple[str, ...]
    empty: str


def read_table() -> list[Cell]:
    """The rows of `table.md`: instruction, form, edge, and the cases or `empty: reason`."""
    cells = []
    for line in (Path(__file__).parent / "table.md").read_text().splitlines():
        columns = [column.strip() for column in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(columns) != 4 or columns[0] == "instruction" or set(columns[0]) <= {"-"}:
            continue
        instruction, form, edge, covered = columns
        empty = covered.removeprefix("empty: ") if covered.startswith("empty: ") else ""
        names = () if empty else tuple(name.strip() for name in covered.split(","))
        cells.append(Cell(instruction, form, edge, names, empty))
    return cells


if __name__ == "__main__":
    for cell in read_table():
        if cell.empty:
            print(f"{cell.instruction}, {cell.form}, {cell.edge}: {cell.empty}")
