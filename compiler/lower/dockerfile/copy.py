"""COPY and ADD: files from a context, a stage, an image, or the instruction itself."""

from __future__ import annotations

import posixpath
import re
from typing import TypeVar

from attrs import evolve

from pybuild.compiler.file_actions import Actions, absolute
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile.contexts import used_path
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record
from pybuild.compiler.lower.dockerfile.modes import parse_mode
from pybuild.compiler.lower.dockerfile.names import step_name, upper_instruction
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, copy, mkfile
from pybuild.lang.diagnostics import source_error
from pybuild.lang.dockerfile.instructions import AddInstruction, CopyInstruction, Heredoc

_URL = re.compile(r"(https?|git|ssh)://|[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:", re.ASCII)


Files = CopyInstruction | AddInstruction
F = TypeVar("F", CopyInstruction, AddInstruction)

_EVERYTHING = ("*", "**", "**/*")


def copy_files(
    lowering: Lowering, stage: StageState, instruction: CopyInstruction, source: StageState | None
) -> None:
    """COPY, from the main context or from `source`. Raises `SourceError`."""
    if source is not None and not source.dispatched:
        raise source_error(
            f'cannot copy from stage "{instruction.from_stage}", it needs to be defined before current stage '
            f'"{stage.title}"',
            instruction.span,
            help="a stage can only copy from stages above it",
        )
    instruction = _expand(lowering, stage, instruction)
    for path in instruction.sources:
        if _URL.match(path):
            kind = "a URL" if path.startswith(("http://", "https://")) else "a git ref"
            raise source_error(
                f"source can't be {kind} for COPY",
                instruction.span,
                help="COPY takes files of the build context or, with --from, of a stage or an image",
            )
    if source is None:
        _check_ignored(lowering, instruction)
    _transfer(lowering, stage, instruction, lowering.context if source is None else source.files)
    paths = stage.context_paths if source is None else source.paths
    paths.update(used_path(path) for path in instruction.sources)


def add_files(lowering: Lowering, stage: StageState, instruction: AddInstruction) -> None:
    """ADD from the main context; archives are extracted. Raises `SourceError`."""
    instruction = _expand(lowering, stage, instruction)
    for path in instruction.sources:
        if _URL.match(path):
            raise source_error(
                "ADD of a URL is not supported by this release",
                instruction.span,
                help=f"put the file into the build context, or fetch {path} in a RUN",
            )
    _check_ignored(lowering, instruction)
    _transfer(lowering, stage, instruction, lowering.context)
    stage.context_paths.update(used_path(path) for path in instruction.sources)


def _expand(lowering: Lowering, stage: StageState, instruction: F) -> F:
    """The instruction with its words expanded, and the heredocs that want it."""

    def one(text: str) -> str:
        return lowering.words.one(text, stage.environment, instruction.span)

    def filled(heredoc: Heredoc) -> Heredoc:
        if not heredoc.expand:
            return heredoc
        content = lowering.words.body(heredoc.content, stage.environment, instruction.span)
        return evolve(heredoc, content=content)

    return evolve(
        instruction,
        sources=tuple(one(path) for path in instruction.sources),
        dest=one(instruction.dest),
        heredocs=tuple(filled(heredoc) for heredoc in instruction.heredocs),
        chown=one(instruction.chown),
        chmod=one(instruction.chmod),
    )


def _transfer(lowering: Lowering, stage: StageState, instruction: Files, source: Pending | None) -> None:
    mode = parse_mode(instruction.chmod, instruction.span)
    options = Options(
        name=step_name(
            stage,
            upper_instruction(lowering.words.shown(instruction.text, stage.environment)),
            platform=stage.platform if lowering.options.multi_platform else None,
            environment=stage.environment,
        ),
        ignore_cache=stage.ignore_cache,
        spans=(instruction.span,),
    )
    dest = absolute(stage.cwd, "./" if instruction.dest in ("", ".") else instruction.dest, keep_end=True)
    state = State(cwd=stage.cwd)
    created = lowering.timestamp

    def make(inputs: Inputs) -> Edge | None:
        actions = _actions(instruction, State(inputs[1]), dest, mode, created)
        return state.at(inputs[0]).file(actions, options=options).edge

    stage.files = Pending(make, (stage.files, source if instruction.sources else None))
    record(lowering, stage, _history(instruction), layer=True)


def _actions(
    instruction: Files, source: State, dest: str, mode: int | str | None, created: int | None
) -> Actions:
    """One action a source: paths as patterns, then heredocs as files made for the purpose."""
    chain: Actions | None = None
    owner = instruction.chown or None
    for path in instruction.sources:
        chain = (chain.copy if chain is not None else copy)(
            source,
            used_path(path),
            dest,
            owner=owner,
            mode=mode,
            follow_symlinks=True,
            contents_only=True,
            unpack=isinstance(instruction, AddInstruction),
            create_dest_path=True,
            wildcard=True,
            empty_wildcard=True,
            created=created,
        )
    for heredoc in instruction.heredocs:
        chain = (chain.copy if chain is not None else copy)(
            _inline(heredoc),
            "/" + heredoc.name,
            dest,
            owner=owner,
            mode=mode,
            create_dest_path=True,
            created=created,
        )
    assert chain is not None
    return chain


def _inline(heredoc: Heredoc) -> State:
    data = heredoc.content.encode(errors="surrogateescape")
    options = Options(name="[internal] preparing inline document")
    return State.scratch().file(mkfile(heredoc.name, data, mode=0o644), options=options)


def _history(instruction: Files) -> str:
    words = ["ADD" if isinstance(instruction, AddInstruction) else "COPY"]
    if instruction.chown:
        words.append(f"--chown={instruction.chown}")
    if instruction.chmod:
        words.append(f"--chmod={instruction.chmod}")
    heredocs = (f"<<{heredoc.name}" for heredoc in instruction.heredocs)
    return " ".join((*words, *instruction.sources, *heredocs, instruction.dest, "# buildkit"))


def _check_ignored(lowering: Lowering, instruction: Files) -> None:
    """Warns of sources that .dockerignore leaves out; with exceptions in it nothing is certain."""
    ignored = lowering.ignored
    if not ignored.patterns or any(ignored.exceptions):
        return
    for path in instruction.sources:
        path = posixpath.normpath(path)
        if path in (".", "/"):
            left_out = any(pattern in _EVERYTHING for pattern in lowering.options.excludes)
        else:
            left_out = ignored.matches(path)
        if left_out:
            verb = "Add" if isinstance(instruction, AddInstruction) else "Copy"
            title = f'Attempting to {verb} file "{path}" that is excluded by .dockerignore'
            lowering.warn(title, instruction.span, code="CopyIgnoredFile")
