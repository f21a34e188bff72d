"""`docs/python/embedding.md` is one program: its files are written, its blocks run in order, and what they print is
what the page shows. Digests and times stand for any; `PYBUILD_WRITE_CASES=1` writes what was printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tests.docs.examples import ROOT, Block, blocks

from pybuild.builder.options import BuildOptions

PAGE = ROOT / "docs" / "python" / "embedding.md"
END = "-- end of block --"
WRITE = os.environ.get("PYBUILD_WRITE_CASES", "") not in ("", "0")


def stable(text: str) -> str:
    """Without what differs from run to run."""
    return re.sub(r"\b[0-9a-f]{12,}\b", "…", text)


def carried_out(program: list[Block], place: Path) -> list[str]:
    """What each block printed."""
    script = place / "page.py"
    script.write_text("".join(f'{block.text}\nprint("{END}")\n' for block in program))
    environment = {**os.environ, "HOME": str(place), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", str(script)],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(END + "\n")[:-1]


@pytest.mark.root
@pytest.mark.crun
def test_the_page_is_a_program(tmp_path: Path) -> None:
    found = blocks(PAGE)
    for block in found:
        if "file" in block.note:
            (tmp_path / block.note["file"]).write_text(block.text)
    program = [block for block in found if block.kind == "python"]
    printed = dict(zip(program, map(stable, carried_out(program, tmp_path)), strict=True))
    text = PAGE.read_text(encoding="utf-8")
    for block, shown in reversed(list(pairwise(found))):
        if "prints" in shown.note:
            text = text[: shown.start] + printed[block] + text[shown.end :]
        elif block in printed:
            assert printed[block] == "", f"line {block.line}"
    if WRITE:
        PAGE.write_text(text, encoding="utf-8")
    assert text == PAGE.read_text(encoding="utf-8")
    assert (tmp_path / "graph.svg").read_text().startswith("<svg")


def test_the_table_names_every_option() -> None:
    named = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]+) \|", PAGE.read_text(), re.MULTILINE)))
    )
    assert set(BuildOptions.__annotations__) <= named
