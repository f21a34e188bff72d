"""The stages of a file as targets: what `--target` may be. Nothing is looked up for it."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.source import Source, Span


@frozen
class Target:
    """One stage, its base and platform as they are written. `default` is what a build without a target makes."""

    name: str
    default: bool
    description: str
    base: str
    platform: str
    span: Span = field(eq=False, repr=False)


@frozen
class Targets:
    """The stages in order of the file; a nameless one is no target unless it is the default."""

    source: Source = field(repr=False)
    targets: tuple[Target, ...]


def targets(dockerfile: Dockerfile) -> Targets:
    last = len(dockerfile.stages) - 1
    return Targets(
        dockerfile.source,
        tuple(
            Target(stage.name, number == last, stage.comment, stage.base, stage.platform, stage.span)
            for number, stage in enumerate(dockerfile.stages)
        ),
    )
