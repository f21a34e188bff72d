"""COPY and ADD: files from a context, a stage, an image, an address, or heredocs."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import evolve

from pybuild.compiler.file_actions import Actions, absolute
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile.checks import report
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record
from pybuild.compiler.lower.dockerfile.modes import parse_mode
from pybuild.compiler.lower.dockerfile.names import step_name, upper_instruction
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending
from pybuild.compiler.lower.dockerfile.sources import Files, local_paths, pieces
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.lower.layers import laid_over, names_users
from pybuild.compiler.lower.paths import used_path
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import source_error
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction, Heredoc
from pybuild.lang.dockerfile.lint.rules import COPY_IGNORED_FILE

F = TypeVar("F", CopyInstruction, AddInstruction)

_EVERYTHING = ("*", "**", "**/*")


def copy_files(
    lowering: Lowering, stage: StageState, instruction: CopyInstruction, source: StageState | None
) -> None:
    """Apply a COPY from the main context, or from `source`. Raises `SourceError`."""
    if source is not None and not source.dispatched:
        raise source_error(
            f'cannot copy from stage "{instruction.from_stage}", it needs to be defined before current stage '
            f'"{stage.title}"',
            instruction.span,
            help="a stage can only copy from stages above it",
        )
    instruction = _expand(lowering, stage, instruction)
    _transfer(lowering, stage, instruction, lowering.context if source is None else source.files)
    if source is None:
        _check_ignored(lowering, stage, instruction)
    paths = stage.context_paths if source is None else source.paths
    paths.update(used_path(path) for path in instruction.sources)


def add_files(lowering: Lowering, stage: StageState, instruction: AddInstruction) -> None:
    """Apply an ADD from the main context or from addresses; archives of the context are extracted. Raises
    `SourceError`."""
    instruction = _expand(lowering, stage, instruction)
    checksum = lowering.words.one(instruction.checksum, stage.environment, instruction.span)
    instruction = evolve(instruction, checksum=checksum)
    _transfer(lowering, stage, instruction, lowering.context)
    _check_ignored(lowering, stage, instruction)
    stage.context_paths.update(used_path(path) for path in local_paths(instruction))


def _expand(lowering: Lowering, stage: StageState, instruction: F) -> F:
    """Expand the words of an instruction, and its heredocs whose words aren't quoted."""

    def one(text: str) -> str:
        return lowering.words.one(text, stage.environment, instruction.span)

    def filled(heredoc: Heredoc) -> Heredoc:
        if not heredoc.expand:
            return heredoc
        content = lowering.words.body(heredoc.content, stage.environment, instruction.span)
        return evolve(heredoc, content=content)

    return evolve(
        instruction,
        chown=one(instruction.chown),
        chmod=one(instruction.chmod),
        sources=tuple(one(path) for path in instruction.sources),
        dest=one(instruction.dest),
        heredocs=tuple(filled(heredoc) for heredoc in instruction.heredocs),
    )


def _transfer(lowering: Lowering, stage: StageState, instruction: Files, source: Pending | None) -> None:
    """Add the copying step to the stage's files. Raises `SourceError`."""
    shared: dict[str, Any] = {
        "owner": instruction.chown or None,
        "mode": parse_mode(instruction.chmod, instruction.span),
        "exclude": instruction.excludes,
    }
    shown = upper_instruction(lowering.words.shown(instruction.text, _named(lowering, stage, instruction)))
    platform = stage.platform if lowering.options.multi_platform else None
    name = step_name(stage, shown, platform=platform, environment=stage.environment)
    options = Options(name=name, ignore_cache=stage.ignore_cache, spans=(instruction.span,))
    # The trailing slash makes the destination a directory.
    dest = absolute(stage.cwd, "./" if instruction.dest in ("", ".") else instruction.dest, keep_end=True)
    sources = pieces(instruction, name)

    def actions(context: Edge | None) -> Actions:
        chain: Actions | None = None
        for piece in sources:
            chain = piece.after(chain, State(context), dest, shared)
        assert chain is not None
        return chain

    # BuildKit ignores --link together with --chmod.
    if instruction.link and not instruction.chmod:
        _check_owner(instruction)
        make = _linked(actions, options, name.removesuffix(shown) + "LINK " + shown)
    else:
        make = _applied(actions, options)
    inputs = stage.files, source if any(piece.state is None for piece in sources) else None
    stage.files = Pending(make, inputs)
    record(lowering, stage, _history(instruction), layer=True)


def _named(lowering: Lowering, stage: StageState, instruction: Files) -> Mapping[str, str]:
    """Return the variables for the name of the step; with those of global scope if --from may use them."""
    if isinstance(instruction, CopyInstruction) and "$" in instruction.from_stage:
        return {**lowering.global_args, **stage.environment}
    return stage.environment


def _applied(actions: Callable[[Edge | None], Actions], options: Options) -> Callable[[Inputs], Edge | None]:
    """Return a function that makes the copy onto the stage's files."""

    def make(inputs: Inputs) -> Edge | None:
        return State(inputs[0]).file(actions(inputs[1]), options=options).edge

    return make


def _linked(
    actions: Callable[[Edge | None], Actions], options: Options, name: str
) -> Callable[[Inputs], Edge | None]:
    """Return a function that makes the copy as a layer of its own, merged over the stage's files in the step
    `name`."""

    def make(inputs: Inputs) -> Edge | None:
        return laid_over(inputs[0], actions(inputs[1]), options, name)

    return make


def _check_owner(instruction: Files) -> None:
    """Refuse owners by name for --link: there is no /etc/passwd in the empty file system. Raises `SourceError`."""
    if names_users(instruction.chown):
        raise source_error(
            f"invalid user index: -1: --link reads no /etc/passwd, so --chown={instruction.chown} names nobody",
            instruction.span,
            help="give the numbers of user and group, or leave --link out",
        )


def _history(instruction: Files) -> str:
    words = ["ADD" if isinstance(instruction, AddInstruction) else "COPY"]
    if isinstance(instruction, CopyInstruction) and instruction.parents:
        words.append("--parents")
    if isinstance(instruction, CopyInstruction) and instruction.optional:
        words.append("--optional")
    if instruction.chown:
        words.append(f"--chown={instruction.chown}")
    if instruction.chmod:
        words.append(f"--chmod={instruction.chmod}")
    heredocs = (f"<<{heredoc.name}" for heredoc in instruction.heredocs)
    return " ".join((*words, *instruction.sources, *heredocs, instruction.dest, "# buildkit"))


def _check_ignored(lowering: Lowering, stage: StageState, instruction: Files) -> None:
    """Report sources that .dockerignore excludes. With exceptions (`!`) in it nothing is certain, and nothing is
    reported."""
    ignored = lowering.ignored
    if not ignored.patterns or any(ignored.exceptions):
        return
    for path in local_paths(instruction):
        path = posixpath.normpath(path)
        if path in (".", "/"):
            left_out = any(pattern in _EVERYTHING for pattern in lowering.options.excludes)
        else:
            left_out = ignored.matches(path)
        if left_out:
            verb = "Add" if isinstance(instruction, AddInstruction) else "Copy"
            report(lowering, stage, COPY_IGNORED_FILE, instruction, verb, path)
