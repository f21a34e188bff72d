"""The examples of `docs/dockerfile`: each `dockerfile` block with the blocks that show its results.

A comment before a block, which the rendered page doesn't show, is its note. Before a Dockerfile:

    <!-- example; files: app.sh:755 src/a.txt=text; setup: COMMAND; flags: --build-arg A=1 -->

Its context has these `files` (with a mode; the content is the path, or the text after `=`) and those that the shell
command `setup` makes; `flags` are those of `pybuild build`. `finds` names the build checks that report something.
With `lowered: NAME …` it is not built but parsed, checked and lowered, the images NAME being empty.

Files of the context may also stand right before it, as `text` blocks: `<!-- file: app.env -->`.

Any number of these follow it:

    <!-- prints -->  text: what its steps print, in order
    <!-- holds -->   text: the files of the result
    <!-- config -->  json: members of the image's config that have these values
    <!-- fails -->   text: the error that ends the build
    <!-- warns -->   text: the findings as the build prints them

A `text` block without a note is not checked.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.support.warm import program

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "dockerfile"
FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
SHOWN = ("prints", "holds", "config", "fails", "warns")
BASE = re.compile(r'^base = "(host:[^"]+)"$', re.MULTILINE)


class Block:
    """A fenced block. `note` has the parts of the comment before it; `start` and `end` are offsets of its text."""

    def __init__(self, found: re.Match[str]) -> None:
        self.kind = found["kind"]
        self.text = found["text"]
        self.start, self.end = found.span("text")
        self.line = found.string.count("\n", 0, self.start) + 1
        parts = [part.partition(":") for part in (found["note"] or "").split("; ")]
        self.note = {name.strip(): value.strip() for name, _, value in parts}


class Example:
    """The Dockerfile at a `place` among the blocks of a page, with the files before it and the results after it.
    `number` counts the page's Dockerfiles from 0."""

    def __init__(self, page: Path, number: int, found: Sequence[Block], place: int) -> None:
        self.page = page
        self.number = number
        self.block = found[place]
        self.name = f"{page.stem}:{self.block.line}"
        self.files = list(takewhile(lambda block: "file" in block.note, reversed(found[:place])))
        self.shown = list(takewhile(shows, found[place + 1 :]))

    @property
    def built(self) -> bool:
        return "lowered" not in self.block.note

    @property
    def finds(self) -> list[str]:
        return sorted(self.block.note.get("finds", "").split())


def blocks(page: Path) -> list[Block]:
    return [Block(found) for found in FENCE.finditer(page.read_text(encoding="utf-8"))]


def examples() -> Iterator[Example]:
    for page in sorted(PAGES.glob("*.md")):
        found = blocks(page)
        places = [place for place, block in enumerate(found) if block.kind == "dockerfile"]
        for number, place in enumerate(places):
            yield Example(page, number, found, place)


def shows(block: Block) -> bool:
    return any(name in block.note for name in SHOWN)


def base_context() -> str:
    """The named context `base` as the index page defines it."""
    found = BASE.search((PAGES / "index.md").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


class Built:
    """A build of the directory `place`. Its outputs are beside it: `files` and the `layout` of an image."""

    def __init__(self, place: Path, flags: Sequence[str], environment: dict[str, str]) -> None:
        self.place = place
        words = ["build", "--progress=rawjson", *flags]
        done = program.run(words, cwd=place, env=environment, timeout=120)
        self.code = done.returncode
        self.answer = done.stdout.decode()
        lines = done.stderr.decode().splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.startswith("{")]
        self.error = "".join(line for line in lines if not line.startswith("{"))
        self.printed = printed(records)
        self.warnings = [text(one["short"]) for record in records for one in record.get("warnings", ())]

    def members(self, wanted: str) -> str:
        """The members of the image's `config` that are also in `wanted`, as JSON."""
        names = json.loads(wanted or "{}")
        return json.dumps({name: self.config.get(name) for name in names}, indent=2) + "\n"

    def listing(self) -> str:
        """The files, links and empty directories of the result, one on a line."""
        top = self.place.parent / "files"
        found = []
        for path in sorted(top.rglob("*")):
            name = str(path.relative_to(top))
            if path.is_symlink():
                found.append(f"{name} -> {os.readlink(path)}")
            elif not path.is_dir():
                found.append(name)
            elif not any(path.iterdir()):
                found.append(name + "/")
        return "".join(f"{name}\n" for name in found)

    @property
    def config(self) -> dict[str, Any]:
        """The members of the image's `config`."""
        layout = self.place.parent / "layout"
        index = json.loads((layout / "index.json").read_text())
        manifest = json.loads(blob(layout, index["manifests"][0]["digest"]))
        found: dict[str, Any] = json.loads(blob(layout, manifest["config"]["digest"]))["config"]
        return found


class Outcome(Built):
    """The results of an example in the form that pages show."""

    def __init__(self, example: Example, place: Path, environment: dict[str, str]) -> None:
        note = example.block.note
        write_files(place, note.get("files", ""))
        for block in example.files:
            (place / block.note["file"]).write_text(block.text, encoding="utf-8")
        if "setup" in note:
            subprocess.run(["sh", "-euc", note["setup"]], cwd=place, check=True, timeout=60)
        (place / "Dockerfile").write_text(example.block.text, encoding="utf-8")
        wanted = {name for block in example.shown for name in block.note}
        flags = [f"--build-context=base={base_context()}", *shlex.split(note.get("flags", ""))]
        if not example.built:
            flags += [
                "--check",
                *(f"--build-context={name}=docker-image://scratch" for name in note["lowered"].split()),
            ]
        if "config" in wanted:
            flags.append("--output=type=oci,dest=../layout,tar=false")
        if "holds" in wanted:
            flags.append("--output=type=local,dest=../files")
        super().__init__(place, ["--no-cache", *flags], environment)

    @property
    def rules(self) -> list[str]:
        if self.answer:
            return sorted(re.findall(r"^WARNING: (\w+)", self.answer, re.MULTILINE))
        return sorted(warning.partition(":")[0] for warning in self.warnings)

    def shown(self, block: Block) -> str:
        """The text that the block should have."""
        if "prints" in block.note:
            return self.printed
        if "fails" in block.note:
            return self.error
        if "warns" in block.note:
            return "".join(f"{warning}\n" for warning in self.warnings)
        if "holds" in block.note:
            return self.listing()
        return self.members(block.text)


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def write_files(place: Path, listed: str) -> None:
    for word in shlex.split(listed):
        name, equals, content = word.partition("=")
        name, _, mode = name.partition(":")
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace("\\n", "\n") + "\n" if equals else name + "\n", encoding="utf-8")
        path.chmod(int(mode or "644", 8))


def printed(records: list[dict[str, Any]]) -> str:
    """The output of the steps, step by step in the order in which they began."""
    out: dict[str, str] = {}
    for record in records:
        for vertex in record.get("vertexes", ()):
            out.setdefault(vertex["digest"], "")
        for log in record.get("logs", ()):
            out[log["vertex"]] = out.get(log["vertex"], "") + text(log["data"])
    return "".join(out.values())


def text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
