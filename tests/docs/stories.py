"""Stories: pages whose blocks are executed in order, in one directory.

The page's first block has the note `told`. Then:

    <!-- file: NAME -->     the block is written to NAME, with `adds` at its end, in Python below two
                          blank lines
    sh                      the commands are run; with `<!-- fails -->` they end in an error
    <!-- prints -->         text: the standard output of the commands before
    <!-- says -->           text: the messages among their error output, from the first `error[` or `warning[` on

Times, digests and sizes in what is shown stand for any.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.docs.examples import Block, blocks

REGISTRY = "localhost:5000"
_CHANGING = re.compile(r"\b\d+\.\d+s\b|\b[0-9a-f]{12,}…?")


def stable(text: str) -> str:
    """The text without times, digests and sizes, which differ between runs."""
    return _CHANGING.sub("…", text).strip("\n")


class Story:
    """A directory in which the blocks of a page are executed."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        """Give the story a store of its own: pages tell what is cached when."""
        self.place = place / "story"
        self.place.mkdir()
        self.environment = {**environment, "PYBUILD_ROOT": str(place / "store")}
        self.printed = ""
        self.said = ""
        self.left_out = False

    def carry_out(self, block: Block) -> None:
        written = block.note.get("file") or block.note.get("adds")
        if written:
            path = self.place / written
            path.parent.mkdir(parents=True, exist_ok=True)
            adds = "adds" in block.note
            with path.open("a" if adds else "w", encoding="utf-8") as file:
                file.write(f"\n\n{block.text}" if adds and path.suffix == ".py" else block.text)
        elif block.kind == "sh":
            self._run(block)

    def shown(self, block: Block) -> str | None:
        """The text that the block should have; None if it shows nothing, or needs a registry that is not there."""
        if self.left_out:
            return None
        if "prints" in block.note:
            return self.printed
        return messages(self.said) if "says" in block.note else None

    def _run(self, block: Block) -> None:
        registry = os.environ.get("PYBUILD_TEST_REGISTRY")
        self.left_out = REGISTRY in block.text and not registry
        if self.left_out:
            return
        text = block.text.replace(REGISTRY, registry or "")
        done = subprocess.run(
            ["sh", "-euc", text],
            cwd=self.place,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        failed = done.returncode != 0
        assert failed == ("fails" in block.note), f"line {block.line}\n{done.stdout}{done.stderr}"
        self.printed, self.said = done.stdout, done.stderr


def messages(text: str) -> str:
    found = re.search(r"^(?:error|warning)(?:\[|:).*", text, re.MULTILINE | re.DOTALL)
    return found[0] if found else ""


def follow(page: Path, story: Story, *, write: bool) -> None:
    """Execute the page's blocks and compare their results with the page; with `write`, update the page instead."""
    text, out, end = page.read_text(encoding="utf-8"), [], 0
    for block in blocks(page):
        story.carry_out(block)
        shown = story.shown(block)
        if shown is not None and not write:
            assert stable(shown) == stable(block.text), f"line {block.line} shows:\n{shown}"
        elif shown is not None:
            out += [text[end : block.start], shown.strip("\n"), "\n"]
            end = block.end
    if write:
        page.write_text("".join([*out, text[end:]]), encoding="utf-8")
