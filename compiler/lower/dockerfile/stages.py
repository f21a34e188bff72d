"""Stages while they are lowered: their state, their dependencies, and the search for cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import evolve, frozen

from pybuild.compiler.image import Image
from pybuild.compiler.lower.dockerfile.contexts import NamedContext
from pybuild.compiler.lower.dockerfile.options import Used, UsedArg
from pybuild.compiler.lower.dockerfile.pending import Pending
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, source_error
from pybuild.lang.dockerfile.instructions import (
    AddInstruction,
    CopyInstruction,
    Instruction,
    RunInstruction,
    Stage,
    WorkdirInstruction,
)
from pybuild.lang.dockerfile.numbers import read_number
from pybuild.lang.source import Span

_LARGEST_INDEX = 2**63 - 1

STEPS = (AddInstruction, CopyInstruction, RunInstruction, WorkdirInstruction)
"""Instructions that progress counts as steps."""


@frozen(eq=False)
class Command:
    """An instruction of a stage. `sources` are the stages and images that it names in `from`, by name; `onbuild`
    marks a trigger of the base."""

    instruction: Instruction
    sources: Mapping[str, StageState] = {}
    onbuild: bool = False


class StageState:
    """A stage being lowered, or an image that only a `from` names (`unregistered`).

    `title` is the name that progress shows. `environment` holds the variables of commands (ARG and ENV, ordered by
    last assignment). `context_paths` are the paths that are used of the main context; `paths` are those used of this
    stage's own file system, one set for a stage and all stages built on it. `once` has the last instruction of each
    kind of which only one counts. `workdir_is_set` is true if this stage, or one that it is built on, has a WORKDIR.
    """

    def __init__(self, stage: Stage, base_name: str, *, title: str = "", unregistered: bool = False) -> None:
        self.stage = stage
        self.base_name = base_name
        self.title = title
        self.unregistered = unregistered
        self.base: StageState | None = None
        self.named_context: NamedContext | None = None
        self.dependencies: dict[StageState, Instruction] = {}
        self.commands: list[Command] = []

        self.files: Pending | None = None
        self.files_have_platform = False
        self.image = Image()
        self.base_config: bytes | None = None
        self.platform: Platform | None = None
        self.environment: dict[str, str] = {}
        self.cwd = "/"
        self.user = ""

        self.build_args: list[tuple[str, str | None]] = []
        self.args: dict[str, UsedArg] = {}
        self.secrets: dict[str, Used] = {}
        self.agents: dict[str, Used] = {}
        self.caches: dict[str, Used] = {}
        self.context_paths: set[str] = set()
        self.paths: set[str] = set()
        self.ignore_cache = False
        self.once: dict[type[Instruction], Instruction] = {}
        self.workdir_is_set = False

        self.step = 0
        self.steps = 0
        self.in_onbuild = False
        self.resolved = False
        self.dispatched = False
        self.onbuild_done = False

    def inherit(self) -> None:
        """Take over the state of the stage that this one is built on, without its triggers."""
        base = self.base
        if base is None:
            return
        self.files = base.files
        self.files_have_platform = base.files_have_platform
        self.platform = base.platform
        self.image = evolve(base.image, config=evolve(base.image.config, on_build=()))
        self.base_config = base.base_config
        self.environment = dict(base.environment)
        self.cwd = base.cwd
        self.user = base.user
        # The same set, not a copy: paths that are used of this stage are used of its base as well.
        self.paths = base.paths
        self.workdir_is_set = base.workdir_is_set
        self.build_args = list(base.build_args)
        self.args = {**base.args, **self.args}
        self.secrets = {**base.secrets, **self.secrets}
        self.agents = {**base.agents, **self.agents}
        self.caches = {**base.caches, **self.caches}

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable of commands. A variable that is set again moves to the end."""
        self.environment.pop(name, None)
        self.environment[name] = value


class Stages:
    """The stages of a file in order, then the images that `from` names. Names ignore case."""

    def __init__(self) -> None:
        self.all: list[StageState] = []
        self._by_name: dict[str, StageState] = {}

    def add(self, state: StageState) -> None:
        """Append a stage. Its base is the last earlier stage with the base's name, if there is one."""
        self.all.append(state)
        state.base = self._by_name.get(state.base_name)
        if state.stage.name:
            self._by_name[state.stage.name.lower()] = state

    def named(self, name: str) -> StageState | None:
        return self._by_name.get(name.lower())

    def names(self) -> list[str]:
        return [state.title for state in self.all if state.title]

    def find(self, name: str, span: Span) -> StageState | None:
        """Return the stage that `--from=name` means, by name or number; None if it must be an image. Raises
        `SourceError`."""
        sign = name[:1] if name[:1] in ("+", "-") else ""
        number = read_number(name.removeprefix(sign), _LARGEST_INDEX)
        if number is not None:
            if number >= len(self.all) or (sign == "-" and number):
                raise source_error(
                    f"invalid stage index {sign.strip('+')}{number}",
                    span,
                    "no such stage",
                    help=f"stages count from 0; this file has {_count(self.registered())}",
                )
            return self.all[number]
        return self.named(name)

    def registered(self) -> list[StageState]:
        return [state for state in self.all if not state.unregistered]


def _count(stages: Sequence[StageState]) -> str:
    return "1 stage" if len(stages) == 1 else f"{len(stages)} stages"


def reachable(target: StageState) -> list[StageState]:
    """Return `target` and all stages that it needs, each once."""
    seen: dict[StageState, None] = {}
    stack = [target]
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen[state] = None
        stack.extend(_needs(state))
    return list(seen)


def _needs(state: StageState) -> Iterator[StageState]:
    yield from state.dependencies
    if state.base is not None:
        yield state.base


def check_cycles(states: Iterable[StageState]) -> None:
    """Raise `SourceError` if stages need each other in a cycle."""
    done: set[StageState] = set()
    for state in states:
        circle = _find_circle(state, done)
        if circle:
            raise _cycle(state, circle)


def _find_circle(start: StageState, done: set[StageState]) -> list[Instruction]:
    """Return the instructions that lead from `start` into a cycle; empty without one. Skips the stages in `done`."""
    if start in done:
        return []
    done.add(start)
    # Depth-first without recursion: `path` has the stages on the way with their untried edges, `through` the
    # instructions between them.
    path = {start: iter(start.dependencies.items())}
    through: list[Instruction] = []
    while path:
        state, rest = next(reversed(path.items()))
        step = next(rest, None)
        if step is None:
            del path[state]
            del through[-1:]
            continue
        needed, instruction = step
        if needed in path:
            return [*through, instruction]
        if needed not in done:
            done.add(needed)
            path[needed] = iter(needed.dependencies.items())
            through.append(instruction)
    return []


def _cycle(state: StageState, instructions: Sequence[Instruction]) -> SourceError:
    labels = [
        Label(instruction.span, "needs the other" if number else "", primary=number == 0)
        for number, instruction in enumerate(instructions)
    ]
    return SourceError(
        Diagnostic(
            f"circular dependency detected on stage: {state.title}",
            labels=labels,
            notes=[("help", "a stage can only copy from stages above it that don't need it themselves")],
        )
    )
