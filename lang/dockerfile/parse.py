"""Parses Dockerfile text into typed instructions.

    decode            bytes -> Source
    parse             Source -> Dockerfile
    parse_onbuild     a trigger stored in an image -> Instruction

Nothing here expands variables, reads files of the context or looks at base images. Every error is a `SourceError`
that points at the words that cause it. The grammar is that of BuildKit's Dockerfile frontend, stable channel 1.26.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from pybuild.lang.diagnostics import Diagnostic, SourceError, source_error
from pybuild.lang.dockerfile.characters import BYTE_ORDER_MARK
from pybuild.lang.dockerfile.extensions import ReadFile, splice
from pybuild.lang.dockerfile.instructions import ArgInstruction, Dockerfile, Instruction, Stage
from pybuild.lang.dockerfile.lint.checks import (
    check_casing,
    check_continuations,
    check_description,
    check_node,
    check_stage_names,
)
from pybuild.lang.dockerfile.lint.linter import Linter
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.parse_instructions import parse_instruction
from pybuild.lang.dockerfile.reader import Warn, read_nodes
from pybuild.lang.source import Source, Span


def decode(name: str, data: bytes) -> Source:
    """Return the text of a Dockerfile under the name that a user knows it by.

    A UTF-8 byte-order mark is dropped and line ends stay as they are. Bytes that aren't UTF-8 become surrogate
    escapes; `parse` decides what they mean where they stand. Raises SourceError for UTF-16.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SourceError(
            Diagnostic(f"{name} is encoded in UTF-16", notes=[("help", "save it in the UTF-8 encoding")])
        )
    return Source(name, data.decode("utf-8", "surrogateescape").removeprefix(BYTE_ORDER_MARK))


def parse(
    source: Source,
    warn: Warn | None = None,
    linter: Linter | None = None,
    *,
    read: ReadFile | None = None,
) -> Dockerfile:
    """Parse `source`. Raises SourceError. The result has at least one stage.

    `warn` is called with a diagnostic of level `warning` for each thing that works but is likely a mistake. `linter`
    gets the findings of build checks; by default it follows the file's directive and reports to `warn`. `read` is
    passed for a file that enables the extensions of the syntax: it reads the files that INCLUDE names.
    """
    warn = warn or _ignore
    linter = linter or Linter.of(source, {}, warn)
    tree = read_nodes(source)
    check_continuations(tree.empty, linter)
    nodes = tree.nodes if read is None else _extended(tree.nodes, read, linter)
    if not nodes:
        what = "has no instructions" if source.text.strip() else "is empty"
        error = source_error(
            f"{source.name} {what}", Span(source, 1, 1, 1, 2), help="begin it with FROM image"
        )
        buildkit = "file with no instructions" if source.text else "the Dockerfile cannot be empty"
        error.diagnostic = error.diagnostic.known_as(buildkit)
        raise error
    meta_args, stages = _read_stages(source, nodes, warn, linter)
    check_stage_names(stages, linter)
    check_casing(nodes[len(meta_args) :], linter)
    return Dockerfile(
        source,
        tuple(meta_args),
        tuple(stages),
        escape=tree.escape,
        extended=read is not None,
        included=tuple(dict.fromkeys(node.line.source for node in nodes if node.line.source is not source)),
    )


def _read_stages(
    source: Source, nodes: Sequence[Node], warn: Warn, linter: Linter
) -> tuple[list[ArgInstruction], list[Stage]]:
    """Return the arguments of global scope, and the stages. Raises SourceError."""
    meta_args: list[ArgInstruction] = []
    stages: list[Stage] = []
    commands: list[Instruction] = []
    above: Node | None = None
    for node in nodes:
        check_node(node, linter)
        try:
            parsed = parse_instruction(node, warn, above)
        except SourceError as error:
            diagnostic = error.diagnostic
            line = f"dockerfile parse error on line {node.line.number}"
            error.diagnostic = diagnostic.known_as(f"{line}: {diagnostic.buildkit or diagnostic.title}")
            raise
        check_description(node, parsed, linter)
        above = node
        if isinstance(parsed, Stage):
            _finish(stages, commands)
            stages.append(parsed)
        elif stages:
            commands.append(parsed)
        elif isinstance(parsed, ArgInstruction):
            meta_args.append(parsed)
        else:
            raise node.error(
                f"{node.keyword} stands before the first FROM",
                help="only ARG may stand there: begin a stage with FROM image",
                buildkit="no build stage in current context",
            )
    if not stages:
        raise nodes[-1].error(
            f"{source.name} has no FROM",
            help="add FROM image below the last ARG",
            buildkit="dockerfile contains no stages to build",
        )
    _finish(stages, commands)
    return meta_args, stages


def _extended(nodes: Sequence[Node], read: ReadFile, linter: Linter) -> list[Node]:
    """Return the nodes of a file that enables the extensions, and of the files it includes."""

    def nodes_of(path: str, data: bytes) -> Sequence[Node]:
        tree = read_nodes(decode(path, data))
        check_continuations(tree.empty, linter)
        return tree.nodes

    spliced = splice(nodes, read, nodes_of)
    for node in spliced:
        node.extended = True
    return spliced


def _finish(stages: list[Stage], commands: list[Instruction]) -> None:
    """Give the last stage its commands."""
    if commands:
        stages[-1] = evolve(stages[-1], commands=tuple(commands))
        commands.clear()


def parse_onbuild(expression: str, source_name: str, warn: Warn | None = None) -> Instruction:
    """Parse the trigger of an ONBUILD in a base image. Raises SourceError.

    Spans point into a source of its own, called `source_name`. The escape character is the backslash unless the
    expression has a directive of its own.
    """
    warn = warn or _ignore
    source = Source(source_name, expression)
    nodes = read_nodes(source).nodes
    if len(nodes) != 1:
        raise source_error(
            f"an ONBUILD trigger holds one instruction, not {len(nodes)}",
            nodes[1].place() if nodes else Span(source, 1, 1, 1, 2),
        )
    parsed = parse_instruction(nodes[0], warn)
    if isinstance(parsed, Stage):
        raise nodes[0].error("FROM cannot be the trigger of an ONBUILD")
    return parsed


def _ignore(diagnostic: Diagnostic) -> None:
    """Ignore a warning."""
