"""Lowers a parsed Dockerfile to the graph of one target.

1. Every FROM becomes a stage: its base and platform are expanded, its base is bound to a stage above.
2. Every `--from` is bound to a stage or an image; cycles are refused.
3. The bases of the stages that the target needs are resolved. Triggers of a base are put before the stage's own
   instructions, and may need more stages.
4. The instructions of these stages are applied, in order of the file.
5. The paths that are read of contexts are now complete: the vertices are made.

The rules are those of BuildKit's `frontend/dockerfile/dockerfile2llb`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from attrs import evolve

from pybuild.compiler import platforms
from pybuild.compiler.bridge import Bridge
from pybuild.compiler.image import DEFAULT_PATH
from pybuild.compiler.lower.dockerfile.arguments import unused_warning
from pybuild.compiler.lower.dockerfile.bases import SCRATCH, resolve_base
from pybuild.compiler.lower.dockerfile.checks import (
    check_default_bases,
    check_from_variables,
    check_platform_flag,
)
from pybuild.compiler.lower.dockerfile.dispatch import dispatch
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.notes import note_args
from pybuild.compiler.lower.dockerfile.options import LoweredTarget, LowerOptions
from pybuild.compiler.lower.dockerfile.pending import settle
from pybuild.compiler.lower.dockerfile.stages import (
    STEPS,
    Command,
    StageState,
    check_cycles,
    reachable,
)
from pybuild.compiler.lower.dockerfile.workdir import set_directory
from pybuild.compiler.lower.images import for_platform, normalized
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import SourceError, source_error, suggest
from pybuild.lang.dockerfile.flags import SYNTAX
from pybuild.lang.dockerfile.instructions import (
    CopyInstruction,
    Dockerfile,
    Instruction,
    OnbuildInstruction,
    RunInstruction,
    Stage,
)
from pybuild.lang.dockerfile.parse import parse_onbuild
from pybuild.lang.dockerfile.words import Expansion
from pybuild.lang.source import Span


def lower(dockerfile: Dockerfile, options: LowerOptions, bridge: Bridge) -> LoweredTarget:
    """Return the target's graph and image config.

    Only images that the target needs are resolved. Raises `SourceError` at the instruction at fault, `UsageError` for
    an option, and the errors of the bridge.
    """
    lowering = Lowering(dockerfile, options, bridge, lower)
    return _finish(lowering, lower_stages(lowering))


def lower_stages(lowering: Lowering) -> StageState:
    """Apply the instructions of all stages that the target needs; return the target. Its vertices aren't made yet.

    Raises the errors of `lower`.
    """
    dockerfile, bridge = lowering.dockerfile, lowering.bridge
    check_default_bases(dockerfile, lowering.predefined, lowering.words, lowering.linter)
    for number, stage in enumerate(dockerfile.stages):
        _add_stage(lowering, number, stage)
    target = _target(lowering)
    _bind_commands(lowering)
    needed = _resolve(lowering, target)
    for state in lowering.stages.all:
        linted = lowering.options.lint_all and not state.unregistered
        if linted or (state in needed and not state.dispatched):
            _dispatch_stage(lowering, state)
    # The result is exported as a whole.
    target.paths.add("/")
    violation = lowering.linter.violation()
    if violation is not None:
        raise violation
    warning = unused_warning(dockerfile, lowering.build_args, _declared_by_triggers(lowering))
    if warning is not None:
        bridge.warn(warning)
    return target


def _add_stage(lowering: Lowering, number: int, stage: Stage) -> None:
    def missing(names: Collection[str], environment: Mapping[str, str]) -> None:
        check_from_variables(lowering, stage, names)

    with lowering.words.watched(missing):
        base = lowering.words.expand(stage.base, lowering.global_args, stage.span)
        platform = None
        if base.result and stage.platform:
            platform = lowering.words.expand(stage.platform, lowering.global_args, stage.span)
    if not base.result:
        raise source_error(
            f"base name ({stage.base}) should not be blank",
            stage.span,
            help=_suggestion(base.unmatched, lowering) or "give the variable a value with ARG before FROM",
        )
    state = StageState(stage, base.result, title=stage.name or f"stage-{number}")
    used = set(base.matched)
    if platform is not None:
        state.platform = _stage_platform(lowering, stage, platform)
        used |= platform.matched
    lowering.stages.add(state)
    if stage.name:
        state.named_context = lowering.contexts.find(stage.name, state.platform)
    if state.named_context is not None:
        state.base = None
        return
    note_args(lowering, state, used)
    state.steps = sum(isinstance(command, STEPS) for command in stage.commands)
    # Pulling the base image is a step too.
    state.steps += state.base_name != SCRATCH and state.base is None
    state.ignore_cache = lowering.no_cache(stage.name)


def _stage_platform(lowering: Lowering, stage: Stage, expansion: Expansion) -> Platform:
    check_platform_flag(lowering, stage, expansion)
    help = _suggestion(expansion.unmatched, lowering)
    if not expansion.result:
        raise source_error(f"empty platform value from expression {stage.platform}", stage.span, help=help)
    try:
        return platforms.parse_specifier(expansion.result)
    except platforms.BadPlatform as error:
        what = f"failed to parse platform {stage.platform}"
        placed = source_error(f"{what}: {error}", stage.span, help=help)
        placed.diagnostic = placed.diagnostic.known_as(f"{what}: {error.diagnostic.buildkit}")
        raise placed from None


def _suggestion(unmatched: set[str], lowering: Lowering) -> str | None:
    similar = (suggest(name, lowering.global_args) for name in sorted(unmatched))
    near = next((name for name in similar if name), None)
    return f"did you mean {near}?" if near else None


def _target(lowering: Lowering) -> StageState:
    name = lowering.options.target
    stages = lowering.stages
    if not name:
        return stages.all[-1]
    target = stages.named(name)
    if target is None:
        near = suggest(name, stages.names())
        names = ", ".join(stages.names())
        raise source_error(
            f'target stage "{name}" could not be found',
            lowering.dockerfile.stages[-1].span,
            help=f"did you mean {near}?" if near else f"the stages are {names}",
        )
    return target


def _bind_commands(lowering: Lowering) -> None:
    for state in lowering.stages.registered():
        state.commands = [_bind(lowering, state, instruction) for instruction in state.stage.commands]
    check_cycles(lowering.stages.all)
    # As in BuildKit, the names of steps leave out the name of the only stage.
    if len(lowering.stages.all) == 1:
        lowering.stages.all[0].title = ""


def _bind(
    lowering: Lowering, state: StageState, instruction: Instruction, *, onbuild: bool = False
) -> Command:
    sources: dict[str, StageState] = {}
    if isinstance(instruction, CopyInstruction) and instruction.from_stage:
        name = instruction.from_stage
        if lowering.dockerfile.extended and not onbuild:
            name = _expanded(lowering, state, instruction)
        sources = {instruction.from_stage: _source(lowering, name, instruction)}
    elif isinstance(instruction, RunInstruction):
        sources = _mounted(lowering, instruction)
    for source in sources.values():
        state.dependencies[source] = instruction
    return Command(instruction, sources, onbuild)


def _mounted(lowering: Lowering, instruction: RunInstruction) -> dict[str, StageState]:
    """Return the stages and images that mounts name. Unlike in COPY, a number isn't a stage here.

    As in BuildKit, a mount that names none counts as one from the empty image. A file with a single stage has two
    stages then, so that its steps are named `[stage-0 2/3]`.
    """
    sources: dict[str, StageState] = {}
    for mount in instruction.mounts:
        name = mount.from_name
        source = lowering.stages.named(name) if name else None
        if source is None:
            source = _unregistered(lowering, name or SCRATCH, mount.span)
        if name:
            sources[name] = source
    return sources


def _expanded(lowering: Lowering, state: StageState, instruction: CopyInstruction) -> str:
    """Expand the name in --from with arguments of global scope, which is an extension. Raises `SourceError`."""
    expansion = lowering.words.expand(instruction.from_stage, lowering.global_args, instruction.span)
    note_args(lowering, state, expansion.matched)
    if not expansion.result:
        raise source_error(
            f"--from={instruction.from_stage} is empty",
            instruction.span,
            help=_suggestion(expansion.unmatched, lowering)
            or "give the variable a value with ARG before the first FROM",
        )
    return expansion.result


def _source(lowering: Lowering, name: str, instruction: Instruction) -> StageState:
    """Return the stage `name`, or a nameless stage for the image `name`. Raises `SourceError`."""
    if lowering.words.one(name, {}, instruction.span) != name:
        error = source_error(
            "variable expansion is not supported for --from",
            instruction.span,
            help=f"begin the file with `# syntax={SYNTAX}`, or name a stage with FROM $VARIABLE AS name, an ARG "
            "before the first FROM giving the variable",
        )
        error.diagnostic = error.diagnostic.known_as(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global "
            "scope as a workaround"
        )
        raise error
    source = lowering.stages.find(name, instruction.span)
    if source is None:
        source = _unregistered(lowering, name, instruction.span)
    return source


def _unregistered(lowering: Lowering, image: str, span: Span) -> StageState:
    source = StageState(Stage(span, "", base=image), image, unregistered=True)
    lowering.stages.add(source)
    return source


def _resolve(lowering: Lowering, target: StageState) -> set[StageState]:
    """Resolve the bases of all stages that `target` needs, and add their triggers; return the needed stages.

    Triggers may need more stages, whose bases may have triggers: it repeats until no stage is added.
    """
    while True:
        needed = set(reachable(target))
        for state in lowering.stages.all:
            wanted = state in needed or lowering.options.lint_all
            if wanted and state.base is None and not state.resolved:
                resolve_base(lowering, state)
        grown = [
            _add_triggers(lowering, state)
            for state in list(lowering.stages.all)
            if state in needed and not state.onbuild_done
        ]
        if not any(grown):
            return needed


def _add_triggers(lowering: Lowering, state: StageState) -> bool:
    """Put the triggers of the base before the stage's commands. Return True if they name other stages or images."""
    state.onbuild_done = True
    if state.base is not None:
        texts = [
            command.instruction.expression
            for command in state.base.commands
            if isinstance(command.instruction, OnbuildInstruction)
        ]
    else:
        texts = list(state.image.config.on_build)
        state.image = state.image.with_config(on_build=())
    if state.dispatched or not texts:
        return False
    triggers = []
    for text in texts:
        with _triggered(state):
            instruction = parse_onbuild(text, f"ONBUILD of {state.stage.base}", lowering.bridge.warn)
            triggers.append(_bind(lowering, state, instruction, onbuild=True))
    state.commands = [*triggers, *state.commands]
    state.steps += len(triggers)
    return any(command.sources for command in triggers)


@contextmanager
def _triggered(state: StageState) -> Iterator[None]:
    """Add the FROM that runs a trigger to errors in it, because the trigger's own place isn't in the file."""
    try:
        yield
    except SourceError as error:
        note = f"a trigger that FROM runs at {state.stage.span.place}"
        error.diagnostic = error.diagnostic.with_note("note", note)
        raise


@contextmanager
def _about(span: Span) -> Iterator[None]:
    """Record all lines of the instruction on errors in it, whichever words they point at."""
    try:
        yield
    except SourceError as error:
        known = error.diagnostic
        error.diagnostic = known.known_as(known.buildkit, known.lines or (span.line, span.end_line))
        raise


def _dispatch_stage(lowering: Lowering, state: StageState) -> None:
    state.inherit()
    state.dispatched = True
    state.platform = state.platform or lowering.platforms.target
    if state.platform.os == "windows":
        raise source_error(
            "Windows images are not supported", state.stage.span, help="build for a Linux platform"
        )
    config = state.image.config
    if not any(entry.partition("=")[0] == "PATH" for entry in config.env):
        config = config.with_env("PATH", DEFAULT_PATH)
        state.image = evolve(state.image, config=config)
    for entry in config.env:
        name, _, value = entry.partition("=")
        state.set_variable(name, value)
    if config.working_dir:
        set_directory(state, config.working_dir)
    if config.user:
        state.user = config.user
    for command in state.commands:
        with _triggered(state) if command.onbuild else _about(command.instruction.span):
            dispatch(lowering, state, command)
    lowering.context_paths |= state.context_paths


def _declared_by_triggers(lowering: Lowering) -> set[str]:
    """Return the names of all arguments of stages, those of ONBUILD triggers included."""
    return {name for state in lowering.stages.all for name, _ in state.build_args}


def _finish(lowering: Lowering, target: StageState) -> LoweredTarget:
    image = target.image
    if lowering.options.labels:
        image = image.with_config(labels={**image.config.labels, **lowering.options.labels})
    wanted = lowering.platforms.target
    if not lowering.platforms.implicit:
        image = for_platform(image, wanted)
    image = normalized(image)
    return LoweredTarget(
        edge=settle(target.files),
        image=image,
        platform=target.platform or wanted,
        stage_names=tuple(state.title for state in lowering.stages.registered()),
        base_config=target.base_config,
        epoch=lowering.epoch,
        epoch_source=lowering.epoch_source,
        args=tuple(target.args.values()),
        ignore_cache=target.ignore_cache,
    )
