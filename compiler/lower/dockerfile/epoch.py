"""SOURCE_DATE_EPOCH: a number of seconds, or the name of a source whose time is used.

    a number          this time
    `context`         the main context, unless it is a local directory
    a named context   its commit or its file
    a stage           the one address that it ADDs; it is FROM scratch and contains only ARGs otherwise

The time of a repository is its commit's; that of a download is Last-Modified, else that of the newest file in the
archive. If the source has no time, the build has none. The rules are those of BuildKit's `dockerfile2llb/epoch.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from attrs import evolve, frozen

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.graph import Edge, walk
from pybuild.compiler.lower.dockerfile.arguments import EPOCH
from pybuild.compiler.lower.dockerfile.contexts import LowerTarget, NamedContext, NamedContexts
from pybuild.compiler.lower.dockerfile.options import UsedArg
from pybuild.compiler.lower.dockerfile.pending import settle
from pybuild.compiler.lower.dockerfile.sources import parsed_ref, pieces
from pybuild.compiler.lower.dockerfile.words import Words
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.urls import is_http
from pybuild.lang.diagnostics import Diagnostic, Label, UsageError, UserError, source_error, suggest
from pybuild.lang.dockerfile.instructions import (
    AddInstruction,
    ArgInstruction,
    Dockerfile,
    Instruction,
    Stage,
)
from pybuild.lang.source import Span

CONTEXT = "context"
"""The value that stands for the main context."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_YEARS = (-62_135_596_800, 253_402_300_799)
"""The seconds of the years 1 to 9999, the only times that an image config can hold."""
_TIMELESS = ("docker-image", "local", "oci-layout")
"""Kinds of contexts that have no time."""
_HELP = (
    f"give a number of seconds since 1970-01-01T00:00:00Z, as `date +%s` prints it, `{CONTEXT}`, or the name of "
    "a build context or of a stage that only ADDs an address"
)
_STAGE_HELP = f"a stage that {EPOCH} names is FROM scratch, with one ADD of an address and ARGs for it"


@frozen
class Epoch:
    """The time of a build in seconds (None: no time), and the source that it comes from."""

    seconds: int | None = None
    source: Edge | None = None


@frozen
class Clock:
    """Reads SOURCE_DATE_EPOCH of one build.

    `build_args` and `values` (the arguments of global scope) still hold the name of the source. `declared` are the
    file's arguments of global scope; `platform` is this machine's.
    """

    dockerfile: Dockerfile
    build_args: Mapping[str, str]
    values: Mapping[str, str]
    declared: Mapping[str, UsedArg]
    words: Words
    main: Edge | None
    contexts: NamedContexts
    platform: Platform
    bridge: Bridge
    lower: LowerTarget

    def read(self) -> Epoch:
        """Return the time. Raises `SourceError` at the stage or ARG at fault, `UsageError` for a build argument, and
        the errors of the bridge."""
        text = self.build_args.get(EPOCH, self.values.get(EPOCH, ""))
        if not text:
            return Epoch()
        if _NUMBER.fullmatch(text):
            return Epoch(self._checked(int(text), text))
        if text == CONTEXT:
            return self._of(self.main, "main build context metadata")
        context = self._context(text)
        if context is not None:
            return self._of(self._files(context), f"{EPOCH} named context {text}")
        for stage in self.dockerfile.stages:
            if stage.name and stage.name == text.lower():
                edge, span = self._added(stage)
                return self._of(edge, f"{EPOCH} source stage {stage.name}", span)
        self._refuse(text, self._near(text))

    def _of(self, files: Edge | None, what: str, span: Span | None = None) -> Epoch:
        """Return the time of the only source of `files`; no time unless it is a git repository or a download."""
        roots = [files] if files is not None else []
        sources = [vertex for vertex in walk(roots) if isinstance(vertex.op, SourceOp)]
        if len(sources) != 1 or not _is_remote(sources[0].op):
            return Epoch()
        source = Edge(sources[0])
        try:
            seconds = self.bridge.source_time(source, log_name=f"[internal] resolve {what}")
        except UserError as error:
            raise self._placed(error, span) from None
        if seconds is None:
            return Epoch(None, source)
        return Epoch(self._checked(seconds, str(seconds)), source)

    def _context(self, name: str) -> NamedContext | None:
        try:
            return self.contexts.find(name, self.platform)
        except UserError:
            return None

    def _files(self, context: NamedContext) -> Edge | None:
        if context.source.partition(":")[0] in _TIMELESS:
            return None
        try:
            return settle(context.load(self.bridge, lambda: ("/",), self.lower).files)
        except UserError as error:
            raise self._placed(error, None) from None

    def _added(self, stage: Stage) -> tuple[Edge, Span]:
        """Return the source that the one ADD of a stage fetches, and the span of the ADD. Raises `SourceError`."""
        # SOURCE_DATE_EPOCH is unknown until this stage gives it.
        values = {name: value for name, value in self.values.items() if name != EPOCH}
        if self.words.one(stage.base, values, stage.span) != "scratch":
            raise source_error(f"{EPOCH} stage must use FROM scratch", stage.span, help=_STAGE_HELP)
        added: tuple[Edge, Span] | None = None
        for instruction in stage.commands:
            if isinstance(instruction, ArgInstruction):
                self._declare(instruction, values)
            elif not isinstance(instruction, AddInstruction):
                name = instruction.text.split(None, 1)[0].upper()
                what = f"{EPOCH} stage does not meet source-only requirements: unsupported {name} instruction"
                raise source_error(what, instruction.span, help=_STAGE_HELP)
            elif added is not None:
                raise _not_one(instruction)
            else:
                added = self._fetched(instruction, values), instruction.span
        if added is None:
            raise source_error(
                f"{EPOCH} stage must contain exactly one remote ADD", stage.span, help=_STAGE_HELP
            )
        return added

    def _declare(self, instruction: ArgInstruction, values: dict[str, str]) -> None:
        for arg in instruction.args:
            if arg.key in self.build_args and arg.key != EPOCH:
                values[arg.key] = self.build_args[arg.key]
            elif arg.value is not None:
                values[arg.key] = self.words.one(arg.value, values, instruction.span)

    def _fetched(self, instruction: AddInstruction, values: Mapping[str, str]) -> Edge:
        span = instruction.span
        if instruction.heredocs or len(instruction.sources) != 1:
            raise source_error(
                f"{EPOCH} stage must contain exactly one remote ADD source", span, help=_STAGE_HELP
            )
        address = self.words.one(instruction.sources[0], values, span)
        if not is_http(address) and parsed_ref(address, span) is None:
            raise source_error(
                f"{EPOCH} stage source must be a single HTTP(S) or Git ADD", span, help=_STAGE_HELP
            )
        checksum = self.words.one(instruction.checksum, values, span)
        (piece,) = pieces(evolve(instruction, sources=(address,), checksum=checksum), instruction.text)
        assert piece.state is not None
        assert piece.state.edge is not None
        return piece.state.edge

    def _checked(self, seconds: int, text: str) -> int:
        if not _YEARS[0] <= seconds <= _YEARS[1]:
            self._refuse(text, "an image can't name a time before the year 1 or after 9999")
        return seconds

    def _near(self, text: str) -> str:
        stages = [stage.name for stage in self.dockerfile.stages if stage.name]
        near = suggest(text, [CONTEXT, *stages, *self.contexts.names()])
        return f"did you mean {near}?" if near else _HELP

    def _refuse(self, text: str, help: str) -> NoReturn:
        title = f"invalid {EPOCH}: {text}"
        span = self._declared_at()
        if span is not None:
            raise source_error(title, span, help=help)
        raise UsageError(title, help=help)

    def _declared_at(self) -> Span | None:
        """Return the span of the ARG that gave the value; None if it is a build argument."""
        declared = self.declared.get(EPOCH)
        return None if EPOCH in self.build_args or declared is None else declared.span

    def _placed(self, error: UserError, span: Span | None) -> UserError:
        """Return the error with a label at the place that names the source, or a note with the build argument."""
        diagnostic = error.diagnostic
        if diagnostic.labels:
            return error
        span = span or self._declared_at()
        given = f"{EPOCH}={self.build_args.get(EPOCH, self.values.get(EPOCH))}"
        error.diagnostic = Diagnostic(
            diagnostic.title,
            labels=[Label(span, "the time is taken from here")] if span is not None else [],
            notes=[*diagnostic.notes, *([] if span is not None else [("build argument", given)])],
            code=diagnostic.code,
            level=diagnostic.level,
        )
        return error


def put(values: dict[str, str], seconds: int | None) -> None:
    """Replace the value of SOURCE_DATE_EPOCH, if `values` has it, by the number of seconds; remove it without a
    time."""
    if values.pop(EPOCH, None) is not None and seconds is not None:
        values[EPOCH] = str(seconds)


def _is_remote(op: object) -> bool:
    return isinstance(op, SourceOp) and op.identifier.startswith(("git://", "http://", "https://"))


def _not_one(instruction: Instruction) -> UserError:
    return source_error(
        f"{EPOCH} stage must contain exactly one remote ADD", instruction.span, help=_STAGE_HELP
    )
