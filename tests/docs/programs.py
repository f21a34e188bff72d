"""The examples of `docs/language`: each `pybuild` block with the blocks that show its results.

A comment before a block, which the rendered page doesn't show, is its note:

    <!-- fails: E0503; asks: web test[py=3.12]; params: a=1; platforms: linux/arm64; files: src/a.txt=text -->

A program is parsed, checked, expanded for all its targets (or what it `asks`) and lowered without a base image's
config. `fails` and `warns` name the codes that are reported. `body` marks statements, which are put into a target of
their own; without a `from` they start from an image. `built` has the command line build the program, with `flags`.
`unformatted` programs are not in canonical form. `values` marks expressions, each with its value:

    "a" + "b"       # "ab"
    7 // 0          # error E0304

The `let`s above them belong to them.

Blocks with `<!-- file: NAME -->` right before a program are files beside it. Any number of these follow it:

    <!-- says -->       text: the messages as they are printed
    <!-- scripts -->    text: the scripts of its runs, as the shell gets them
    <!-- instances -->  text: the requested instances, each with its platforms
    <!-- prints -->     text: the output of its steps
    <!-- holds -->      text: the files of the result
    <!-- config -->     json: members of the image's config
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from tests.compiler.lower.dockerfile.world import AMD64
from tests.compiler.lower.dockerfile.world import World as Images
from tests.docs.examples import ROOT, Block, blocks
from tests.lang.textual.expand.programs import Outside
from tests.lang.textual.worlds import FOREIGN, PROJECT, World

from pybuild.compiler.lower.recipe.lower import lower
from pybuild.compiler.lower.recipe.options import LowerOptions
from pybuild.compiler.ops import ExecOp
from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceError, SourceErrors, render
from pybuild.lang.textual.arrange import arranged
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.load import load

PAGES = ROOT / "docs" / "language"
ELSEWHERE = ("diagnostics", "stdlib")
"""Pages with tests of their own."""

BUILT = ("prints", "holds", "config")
SHOWN = ("says", "scripts", "instances", *BUILT)
QUIET = ("W0201", "W0611", "W0802")
"""Warnings that pages need not mention: about unused names in a snippet, the offline base, and files that are shown
without their first line."""

_DECLARATION = re.compile(r"(?:let|param|def|use) |\s")
_RESULT = re.compile(r"(?P<expr>.*\S)\s{2,}# (?:error (?P<code>E\d{4})|(?P<value>.*))")


class Program:
    """A program of a page, with the files before it and the results after it. `number` counts from 0."""

    def __init__(self, page: Path, number: int, found: Sequence[Block], place: int) -> None:
        self.page = page
        self.number = number
        self.block = found[place]
        self.note = self.block.note
        self.name = f"{page.stem}:{self.block.line}"
        self.files = files_before(found, place)
        self.shown = list(takewhile(shows, found[place + 1 :]))

    @property
    def built(self) -> bool:
        return "built" in self.note or any(name in block.note for block in self.shown for name in BUILT)

    @property
    def laid_out(self) -> bool:
        """True if the program is in canonical form."""
        return "unformatted" not in self.note and not self.expected("fails")

    def expected(self, word: str) -> list[str]:
        return sorted(self.note.get(word, "").split())

    @property
    def text(self) -> str:
        """The whole file. No line is put before the block, so that messages show the right line numbers."""
        text = self.block.text
        if "body" not in self.note:
            return text
        lines = "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
        start = "" if re.match(r"from ", text) else '    from "debian:12-slim"\n'
        return f"target example:\n{start}{lines}"

    @property
    def sources(self) -> dict[str, str]:
        found = {}
        for word in shlex.split(self.note.get("files", "")):
            name, equals, content = word.partition("=")
            found[name] = content.replace("\\n", "\n") + "\n" if equals else f"{name}\n"
        found |= {block.note["file"]: block.text for block in self.files}
        return {**found, "build.pybuild": self.text}


def files_before(found: Sequence[Block], place: int) -> list[Block]:
    return list(takewhile(lambda block: "file" in block.note, reversed(found[:place])))


def shows(block: Block) -> bool:
    return any(name in block.note for name in SHOWN)


def pages() -> list[Path]:
    return [page for page in sorted(PAGES.glob("*.md")) if page.stem not in ELSEWHERE]


def is_told(page: Path) -> bool:
    """Return whether the page is a story."""
    return any("told" in block.note for block in blocks(page))


def programs() -> Iterator[Program]:
    for page in pages():
        found = blocks(page)
        if is_told(page):
            continue
        places = [
            place
            for place, block in enumerate(found)
            if block.kind == "pybuild" and "file" not in block.note and "values" not in block.note
        ]
        for number, place in enumerate(places):
            yield Program(page, number, found, place)


class Compiled:
    """The messages about a program, and its recipe if it has no errors."""

    def __init__(
        self, sources: dict[str, str], *, asks: str = "", params: str = "", platforms: str = ""
    ) -> None:
        self.said: list[Diagnostic] = []
        self.recipe: recipe.Recipe | None = None
        self.scripts = ""
        world = World(sources, _standard(), FOREIGN)
        loaded = load(world.root(), world)
        found = list(loaded.diagnostics)
        if loaded.program is not None:
            found += check(loaded.program)
        self.said = list(arranged(found))
        if loaded.program is None or any(one.level == "error" for one in self.said):
            return
        given = dict(word.split("=", 1) for word in shlex.split(params))
        options = ExpandOptions(
            PROJECT,
            PROJECT,
            "linux/amd64",
            tuple(asks.split()) or EVERYTHING,
            {name: recipe.ParamSetting(value, f"-p {name}={value}") for name, value in given.items()},
            tuple(platforms.split()),
        )
        try:
            self.recipe = expand(loaded.program, options, Outside())
            self.said += self.recipe.warnings
            lowered = lower(self.recipe, LowerOptions(AMD64, linked=False), Images())
            self.scripts = _scripts([one.edge for one in lowered.instances.values()])
        except SourceErrors as errors:
            self.said += errors.diagnostics
        except SourceError as error:
            self.said.append(error.diagnostic)

    def codes(self, levels: str) -> list[str]:
        found = {one.code or "" for one in self.said}
        return sorted(code for code in found if code[:1] in levels)

    @property
    def messages(self) -> str:
        return "\n".join(f"{render(one)}\n" for one in self.said if one.code not in QUIET)

    @property
    def instances(self) -> str:
        goals = self.recipe.requested if self.recipe is not None else ()
        return "".join(
            f"{goal.title} on {', '.join(one.platform for one in goal.instances)}\n" for goal in goals
        )


def compiled(program: Program) -> Compiled:
    wanted = {word: program.note.get(word, "") for word in ("asks", "params", "platforms")}
    return Compiled(program.sources, **wanted)


def _standard() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in (ROOT / "stdlib").glob("*.pybuild")}


def _scripts(edges: list[object]) -> str:
    from pybuild.compiler.graph import Edge, walk

    made = [vertex for edge in edges if isinstance(edge, Edge) for vertex in walk([edge])]
    found = {vertex.digest: vertex.op.meta.args[-1] for vertex in made if isinstance(vertex.op, ExecOp)}
    return "".join(f"{script.rstrip()}\n" for script in found.values())


class Values:
    """Expressions with their values, and the `let`s and files they use."""

    def __init__(self, page: Path, found: Sequence[Block], place: int) -> None:
        block = found[place]
        self.name = f"{page.stem}:{block.line}"
        lines = [line for line in block.text.splitlines() if line.strip()]
        self.lets = "".join(f"{line}\n" for line in lines if _DECLARATION.match(line))
        rows = [_RESULT.fullmatch(line) for line in lines if not _DECLARATION.match(line)]
        self.rows = [(row["expr"], row["value"], row["code"]) for row in rows if row is not None]
        self.whole = None not in rows
        self.files = {one.note["file"]: one.text for one in files_before(found, place)}

    def compiled(self, declaration: str) -> Compiled:
        text = f"# syntax=pybuild:1\n\n{self.lets}{declaration}\ntarget example:\n    from scratch\n"
        return Compiled({**self.files, "build.pybuild": text})


def values() -> Iterator[Values]:
    for page in pages():
        found = blocks(page)
        yield from (Values(page, found, at) for at, block in enumerate(found) if "values" in block.note)
