"""Outlines of targets: the build arguments, secrets, SSH agents and cache mounts that a target uses.

They are collected from the target's stage, then from the stages it is built on, then from those it copies from or
mounts; of several entries with one name the first counts. The rules are those of BuildKit's
`frontend/dockerfile/dockerfile2llb/outline.go`, with two differences: cache mounts are included, and a secret is
required if any step requires it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from attrs import evolve, field, frozen

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.lower.dockerfile.lower import lower, lower_stages
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.options import LowerOptions, Used, UsedArg
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.source import Source, Span

_Noted = TypeVar("_Noted", UsedArg, Used)


@frozen
class Outline:
    """The outline of a target, each kind of input in order of the file. `name` and `description` are the stage's;
    they are empty if it has none."""

    source: Source = field(repr=False)
    name: str = ""
    description: str = ""
    args: tuple[UsedArg, ...] = ()
    secrets: tuple[Used, ...] = ()
    agents: tuple[Used, ...] = ()
    caches: tuple[Used, ...] = ()


def outline(dockerfile: Dockerfile, options: LowerOptions, bridge: Bridge) -> Outline:
    """Return the outline of the target. The bridge resolves image configs; nothing is run. Raises the errors of
    `lower`."""
    target = lower_stages(Lowering(dockerfile, options, bridge, lower))
    stages = _in_order(target)
    places = _Places(dockerfile)

    def merged(kind: Callable[[StageState], Mapping[str, _Noted]]) -> dict[str, _Noted]:
        entries: dict[str, _Noted] = {}
        for stage in stages:
            for name, noted in kind(stage).items():
                entries.setdefault(name, evolve(noted, span=places.of(noted.span, stage.stage.span)))
        return entries

    def used(kind: Callable[[StageState], Mapping[str, Used]]) -> tuple[Used, ...]:
        needed = {name for stage in stages for name, noted in kind(stage).items() if noted.required}
        return _ordered(evolve(one, required=one.id in needed) for one in merged(kind).values())

    return Outline(
        dockerfile.source,
        target.stage.name,
        target.stage.comment,
        _ordered(merged(lambda stage: stage.args).values()),
        used(lambda stage: stage.secrets),
        used(lambda stage: stage.agents),
        used(lambda stage: stage.caches),
    )


def _ordered(noted: Iterable[_Noted]) -> tuple[_Noted, ...]:
    """Sort entries by line."""
    return tuple(sorted(noted, key=lambda one: one.span.line if one.span is not None else 0))


class _Places:
    """The spans of a file's instructions, looked up by line."""

    def __init__(self, dockerfile: Dockerfile) -> None:
        self._source = dockerfile.source
        spans = [instruction.span for instruction in dockerfile.meta_args]
        for stage in dockerfile.stages:
            spans += [stage.span, *(instruction.span for instruction in stage.commands)]
        self._spans = spans
        self._lines = [span.line for span in spans]

    def of(self, span: Span | None, other: Span) -> Span:
        """Return the span of the instruction at `span`; `other`, that of the FROM, for a trigger of a base image."""
        if span is None or span.source is not self._source:
            return other
        return self._spans[bisect_right(self._lines, span.line) - 1]


def _in_order(target: StageState) -> list[StageState]:
    seen: dict[StageState, None] = {}
    waiting = [target]
    while waiting:
        stage = waiting.pop()
        if stage in seen:
            continue
        seen[stage] = None
        waiting.extend(reversed(stage.dependencies))
        if stage.base is not None:
            waiting.append(stage.base)
    return list(seen)
