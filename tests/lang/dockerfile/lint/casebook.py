"""The cases in `cases/*.md`: a Dockerfile, and what the build checks find in it.

A case is a heading, a `dockerfile` block, perhaps a `toml` block with options of the lowering (`target`,
`build_args`, `platform`, `excludes`, `contexts`, `lint_all`, `images`: configs by canonical name), a `findings`
block with one line each (rule, lines and columns, message), and an `error` block where the build ends: its title
and where it points. `PYBUILD_WRITE_CASES=1` writes the last two anew. A file is named after the rule it is about.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from tests.compiler.lower.dockerfile.world import AMD64, World, image_config

from pybuild.compiler import platforms
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.lang.source import Span

CASES = Path(__file__).parent / "cases"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Case:
    def __init__(self, file: Path, title: str, body: str) -> None:
        self.file = file
        self.title = title
        self.blocks = dict(FENCE.findall(body))

    @property
    def text(self) -> str:
        text: str = self.blocks["dockerfile"]
        return text

    @property
    def options(self) -> dict[str, Any]:
        return tomllib.loads(self.blocks.get("toml", ""))

    @property
    def id(self) -> str:
        return f"{self.file.stem}: {self.title}"


class Outcome:
    """The findings of one text as lines, the rules they are of, and the error that ended it."""

    def __init__(self, text: str, options: dict[str, Any]) -> None:
        options = dict(options)
        images = {name: image_config(**config) for name, config in options.pop("images", {}).items()}
        platform = options.pop("platform", None)
        if platform is not None:
            options["target_platform"] = platforms.parse(platform)
        options["excludes"] = tuple(options.pop("excludes", ()))
        source = decode("Dockerfile", text.encode())
        self.error = ""
        self.linter: Linter | None = None
        try:
            self.linter = Linter.of(source, options.get("build_args", {}))
            file = parse(source, None, self.linter)
            chosen = LowerOptions(build_platforms=(AMD64,), linter=self.linter, **options)
            lower(file, chosen, World(images))
        except UserError as error:
            cause = next((label.span for label in error.diagnostic.labels), None)
            self.error = f"{error}\n" + (f"at {shown(cause)}\n" if cause is not None else "")
        self.found = self.linter.findings if self.linter is not None else []
        self.rules = [finding.rule.name for finding in self.found]
        self.findings = "".join(f"{one.rule.name} {shown(one.span)} {one.message}\n" for one in self.found)

    @property
    def blocks(self) -> dict[str, str]:
        out = {"findings": self.findings} if self.findings else {}
        return {**out, **({"error": self.error} if self.error else {})}


def shown(span: Span) -> str:
    return f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"


def read_cases() -> list[Case]:
    cases = []
    for file in sorted(CASES.glob("*.md")):
        for section in re.split(r"^## ", file.read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = section.partition("\n")
            cases.append(Case(file, title, body))
    return cases


def write_cases() -> None:
    for file in sorted(CASES.glob("*.md")):
        head, *sections = re.split(r"^## ", file.read_text(), flags=re.MULTILINE)
        out = [head]
        for section in sections:
            title, _, body = section.partition("\n")
            case = Case(file, title, body)
            given = {kind: case.blocks[kind] for kind in ("dockerfile", "toml") if kind in case.blocks}
            blocks = {**given, **Outcome(case.text, case.options).blocks}
            out.append(
                f"## {title}\n" + "".join(f"```{kind}\n{text}```\n" for kind, text in blocks.items()) + "\n"
            )
        file.write_text("".join(out).rstrip() + "\n")
