"""Formats a whole file.

1. Parse the file; one that doesn't parse isn't formatted.
2. Lay out each instruction. An instruction whose shape makes that risky stays as it is.
3. Between instructions, strip trailing white space and collapse empty lines to one. Comments stay where they are, and
   so does an empty line before the first comment: it keeps that comment from becoming a directive.
4. Parse the result and compare it with what the file meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from attrs import evolve

from pybuild.lang.dockerfile.characters import BYTE_ORDER_MARK, SPACES
from pybuild.lang.dockerfile.directives import read_directive
from pybuild.lang.dockerfile.fmt.layout import CannotLayOut, Layout
from pybuild.lang.dockerfile.fmt.tokens import tokens_of
from pybuild.lang.dockerfile.instructions import ArgInstruction, Dockerfile, Instruction, Stage
from pybuild.lang.dockerfile.lines import physical_lines, trim_continuation
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.dockerfile.reader import read_nodes
from pybuild.lang.source import Source

_Parsed = TypeVar("_Parsed", ArgInstruction, Instruction, Stage)


class ChangedMeaning(Exception):
    """The formatter would have changed the meaning of a file: a bug in the formatter."""


def format_text(source: Source, *, extended: bool = False) -> str:
    """Return the text of `source` in the formatter's form; formatting it again gives the same text.

    `extended` files may use pybuild's extensions of the syntax; included files are not read. Raises SourceError for a
    file that doesn't parse, ChangedMeaning instead of returning a wrong result.
    """
    read = _stand_in if extended else None
    before = parse(source, read=read)
    lines = physical_lines(source.text)
    text = "".join(_formatted(source, lines))
    if not text.endswith("\n"):
        text += "\r\n" if lines[0].endswith("\r\n") else "\n"
    if meaning(parse(Source(source.name, text), read=read)) != meaning(before):
        raise ChangedMeaning(source.name)
    return text


def _stand_in(path: str) -> bytes:
    """Stand in for an included file: a stage whose name encodes the path, so that comparisons tell paths apart."""
    return f"FROM scratch AS included-{path.encode('utf-8', 'surrogateescape').hex()}".encode()


def meaning(dockerfile: Dockerfile) -> Dockerfile:
    """Return the file without the spacing of its instructions, for comparisons."""
    stages = tuple(
        evolve(_bare(stage), commands=tuple(_bare(command) for command in stage.commands))
        for stage in dockerfile.stages
    )
    return evolve(dockerfile, meta_args=tuple(_bare(arg) for arg in dockerfile.meta_args), stages=stages)


def _bare(instruction: _Parsed) -> _Parsed:
    return evolve(instruction, text="")


def _formatted(source: Source, lines: list[str]) -> Iterator[str]:
    nodes = {node.line.number: node for node in read_nodes(source).nodes}
    number = 1
    empty = ""
    begun = False
    while number <= len(lines):
        line = lines[number - 1]
        if not line.strip(SPACES):
            empty = empty or line[len(line.rstrip("\r\n")) :]
            number += 1
            continue
        node = nodes.get(number)
        if begun or node is None:
            yield empty
        empty, begun = "", True
        yield _comment(line) if node is None else _instruction(node, lines)
        number = number + 1 if node is None else node.end_line + 1


def _comment(line: str) -> str:
    """Strip trailing white space from a comment; a directive stays as it is, since its value may be a blank."""
    if read_directive(line.strip("\r\n").lstrip(SPACES)) is not None:
        return line
    bare = line.rstrip("\r\n")
    return bare.rstrip(SPACES) + line[len(bare) :]


def _instruction(node: Node, lines: list[str]) -> str:
    """Return the instruction with its line end, and with the heredocs below it."""
    first, last = node.line.number, node.line.pieces[-1][1]
    whole = "".join(lines[first - 1 : node.end_line])
    if lines[first - 1].startswith(BYTE_ORDER_MARK):
        return whole
    if trim_continuation(lines[last - 1].rstrip("\r\n"), node.escape)[1]:
        return whole
    try:
        layout = Layout(node, lines)
        return layout.render(tokens_of(node)) + layout.ends[-1] + "".join(lines[last : node.end_line])
    except CannotLayOut:
        return whole
