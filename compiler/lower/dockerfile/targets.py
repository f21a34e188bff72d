"""The targets of a file: the stages that `--target` can name. Nothing is resolved for them."""

from __future__ import annotations

from attrs import field, frozen

from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.source import Source, Span


@frozen
class Target:
    """A stage, with base and platform as written. `default` marks the stage that is built without `--target`."""

    name: str
    default: bool
    description: str
    base: str
    platform: str
    span: Span = field(eq=False, repr=False)


@frozen
class Targets:
    """The stages in order of the file. A stage without a name can only be built if it is the default."""

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
