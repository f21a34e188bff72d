"""The cases in `cases/*.md`: a Dockerfile, and what it means or the error it gives.

A case is a heading, a `dockerfile` block and a `result` or an `error` block, perhaps with a `warnings` block.
The result has a line for each instruction: its kind and the fields that differ from their defaults. Build checks
have cases of their own (`tests/lang/dockerfile/lint`). Every
case that parses also has to keep the laws at the end of this file. `PYBUILD_WRITE_CASES=1` writes the blocks
anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import attrs
import pytest

from pybuild.lang.diagnostics import Diagnostic, SourceError, render
from pybuild.lang.dockerfile.instructions import Dockerfile, Instruction, Stage
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.parse import decode, parse

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


def read_cases() -> list[Case]:
    cases = []
    for file in sorted(CASES.glob("*.md")):
        for section in re.split(r"^## ", file.read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = section.partition("\n")
            cases.append(Case(file, title, body))
    return cases


def fields(value: attrs.AttrsInstance) -> str:
    """The fields of an instruction that differ from their defaults."""
    out = []
    for field in attrs.fields(type(value)):
        content = getattr(value, field.name)
        if field.name not in ("span", "text", "commands") and content != field.default:
            out.append(f"{field.name}={content!r}")
    return " ".join(out)


def dump(file: Dockerfile) -> str:
    def line(item: Instruction | Stage) -> str:
        return f"{type(item).__name__.removesuffix('Instruction').lower()} {fields(item)}".rstrip() + "\n"

    out = [line(arg) for arg in file.meta_args]
    for stage in file.stages:
        out.append(line(stage))
        out += ["  " + line(command) for command in stage.commands]
    return "".join(out)


def outcome(text: str) -> dict[str, str]:
    """The blocks that a case with this text should have."""
    warnings: list[Diagnostic] = []
    try:
        file = parse(decode("Dockerfile", text.encode()), warnings.append, Linter.off())
        blocks = {"result": dump(file)}
    except SourceError as error:
        return {"error": render(error.diagnostic) + "\n"}
    if warnings:
        blocks["warnings"] = "\n".join(render(warning) for warning in warnings) + "\n"
    return blocks


def write_cases() -> None:
    for file in sorted(CASES.glob("*.md")):
        head, *sections = re.split(r"^## ", file.read_text(), flags=re.MULTILINE)
        out = [head]
        for section in sections:
            title, _, body = section.partition("\n")
            text = Case(file, title, body).text
            blocks = {"dockerfile": text, **outcome(text)}
            out.append(
                f"## {title}\n" + "".join(f"```{kind}\n{body}```\n" for kind, body in blocks.items()) + "\n"
            )
        file.write_text("".join(out).rstrip() + "\n")


if os.environ.get("PYBUILD_WRITE_CASES"):
    write_cases()

ALL = read_cases()
GOOD = [case for case in ALL if "result" in case.blocks]


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[f"{case.file.stem}: {case.title}" for case in cases])


@named(ALL)
def test_case(case: Case) -> None:
    expected = {kind: text for kind, text in case.blocks.items() if kind != "dockerfile"}
    assert outcome(case.text) == expected


def test_case_titles_are_unique() -> None:
    titles = [(case.file, case.title) for case in ALL]
    assert len(set(titles)) == len(titles)
    assert len(titles) > 150


def instructions(file: Dockerfile) -> list[Instruction | Stage]:
    out: list[Instruction | Stage] = list(file.meta_args)
    for stage in file.stages:
        out += [stage, *stage.commands]
    return out


@named(GOOD)
def test_spans_follow_each_other_and_hold_their_instruction(case: Case) -> None:
    source = decode("Dockerfile", case.text.encode())
    file = parse(source)
    previous = 0
    for item in instructions(file):
        span = item.span
        assert previous < span.line <= span.end_line
        here = source.line(span.line)[span.column - 1 :]
        name = item.text.split()[0]
        assert here.startswith(name) or name.startswith(here.removesuffix(file.escape))
        assert span.end_column == len(source.line(span.end_line)) + 1
        previous = span.end_line


@named(GOOD)
def test_line_ends_and_byte_order_mark_mean_nothing(case: Case) -> None:
    plain = parse(decode("Dockerfile", case.text.encode()))
    marked = parse(decode("Dockerfile", b"\xef\xbb\xbf" + case.text.encode()))
    assert marked == plain
    unended = parse(decode("Dockerfile", case.text.removesuffix("\n").encode()))
    assert unended == plain
    dos = case.text.replace("\n", "\r\n")
    assert dump(parse(decode("Dockerfile", dos.encode()))).replace(r"\r\n", r"\n") == dump(plain)


@named(GOOD)
def test_the_text_of_an_instruction_means_the_same(case: Case) -> None:
    file = parse(decode("Dockerfile", case.text.encode()))
    head = f"# escape={file.escape}\nFROM base\n"
    for stage in file.stages:
        for command in stage.commands:
            if "<<" in command.text:
                continue
            again = parse(decode("Dockerfile", (head + command.text).encode()))
            (same,) = again.stages[0].commands
            assert drop_comments(same) == drop_comments(command)


def drop_comments(command: Instruction) -> object:
    """Doc comments stand outside an instruction's text, and ONBUILD keeps the white space behind it."""
    return re.sub(r"comment='[^']*'", "", repr(command)).replace(" '", "'").replace("  ", " ")
