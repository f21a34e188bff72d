"""Records the build arguments that a stage uses, for outlines.

The rules are those of BuildKit's `frontend/dockerfile/dockerfile2llb/outline.go`: an argument without a
default in a stage is the one of global scope, whose default may use further ones. Predefined arguments are not
listed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.options import UsedArg
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.lang.dockerfile.instructions import Arg
from pybuild.lang.source import Span


def note_args(lowering: Lowering, stage: StageState, names: Iterable[str]) -> None:
    """Record that the stage uses the arguments `names` of global scope, and those that their defaults use."""
    waiting = sorted(names, reverse=True)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        declared = lowering.declared_args.get(name)
        if declared is None or name in seen:
            continue
        seen.add(name)
        stage.args[name] = declared
        waiting.extend(sorted(declared.needs, reverse=True))


def note_declared(
    lowering: Lowering, stage: StageState, declared: Arg, value: str | None, span: Span
) -> None:
    """Record an ARG of the stage with its `value`."""
    name = declared.key
    inherited = declared.value is None and name not in lowering.build_args
    if inherited and name in lowering.global_args:
        note_args(lowering, stage, [name])
        return
    stage.args[name] = UsedArg(name, value, declared.comment, span)
