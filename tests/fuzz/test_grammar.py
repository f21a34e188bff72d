"""Laws of valid Dockerfiles, whatever they hold and however they are written."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from tests.fuzz.grammar import COMMANDS, File, files
from tests.fuzz.targets import AnyWorld, lowered

from pybuild.compiler.lower.dockerfile import LoweredTarget
from pybuild.lang.dockerfile.fmt import format_text
from pybuild.lang.dockerfile.instructions import Dockerfile, Instruction, Stage
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.lang.source import Source


def instructions(file: Dockerfile) -> list[Instruction | Stage]:
    out: list[Instruction | Stage] = list(file.meta_args)
    for stage in file.stages:
        out += [stage, *stage.commands]
    return out


def values(item: Any) -> Any:
    """What an instruction holds, without its text and its place, and with one escape character and line end."""
    if isinstance(item, str):
        return item.replace("`", "\\").replace("\r\n", "\n")
    if isinstance(item, tuple):
        return tuple(map(values, item))
    if attrs.has(type(item)):
        fields = [
            field.name for field in attrs.fields(type(item)) if field.name not in ("span", "text", "commands")
        ]
        return (type(item).__name__, *(values(getattr(item, name)) for name in fields))
    return item


def meaning(text: str) -> list[Any]:
    return [values(item) for item in instructions(parse(Source("Dockerfile", text)))]


def result(text: str) -> tuple[str, Any]:
    """The graph's digest and the image's config."""
    found = lowered(Source("Dockerfile", text), AnyWorld())
    assert isinstance(found, LoweredTarget), text
    return found.edge.vertex.digest if found.edge is not None else "", found.image.config


def test_every_instruction_has_a_rule() -> None:
    assert len({name.split()[0] for name in COMMANDS}) == 17


@settings(max_examples=80, deadline=None)
@given(files())
def test_it_parses_and_spans_are_where_instructions_stand(file: File) -> None:
    text = file.written()
    source = decode("Dockerfile", text.encode())
    assert source.text == text
    found = instructions(parse(source))
    assert [item.text.split()[0] for item in found] == file.starts
    previous = 1
    for item in found:
        span = item.span
        assert previous < span.line <= span.end_line
        assert source.line(span.line)[span.column - 1 :].split()[0] == item.text.split()[0]
        assert span.end_column == len(source.line(span.end_line)) + 1
        previous = span.end_line
    for number in range(previous + 1, text.count("\n") + 1):
        assert not source.line(number).strip()


@settings(max_examples=40, deadline=None)
@given(files())
def test_line_ends_and_a_byte_order_mark_mean_nothing(file: File) -> None:
    plain = meaning(file.written())
    assert meaning(file.written(eol="\r\n")) == plain
    assert meaning(decode("Dockerfile", b"\xef\xbb\xbf" + file.written().encode()).text) == plain
    assert meaning(file.written().rstrip("\n")) == plain
    assert meaning(file.written(directive=False)) == plain


@settings(max_examples=40, deadline=None)
@given(files())
def test_the_escape_character_is_a_way_of_writing(file: File) -> None:
    text, other = file.written(), file.written(escape="`")
    assert meaning(other) == meaning(text)
    assert result(other) == result(text)


@settings(max_examples=30, deadline=None)
@given(files())
def test_lowering_is_a_function(file: File) -> None:
    text = file.written()
    assert result(text) == result(text)
    assert result(file.written(directive=False)) == result(text)


@settings(max_examples=40, deadline=None)
@given(files())
def test_the_formatter_keeps_what_it_means(file: File) -> None:
    text = file.written()
    done = format_text(Source("Dockerfile", text))
    assert format_text(Source("Dockerfile", done)) == done
    assert meaning(done) == meaning(text)
    assert result(done) == result(text)
