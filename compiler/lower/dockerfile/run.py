"""RUN: a command in the stage's file system."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pybuild.compiler import platforms
from pybuild.compiler.file_actions import clean
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.commands import PIPES, script_mount
from pybuild.compiler.lower.dockerfile import history
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record, with_shell
from pybuild.compiler.lower.dockerfile.mounts import (
    StepMount,
    read_mounts,
    shown_environment,
    step_mounts,
)
from pybuild.compiler.lower.dockerfile.names import heredoc_summary, step_name, upper_instruction
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.lower.step_defaults import NETWORKS, command_state, shared_memory
from pybuild.compiler.mounts import AnyMount
from pybuild.compiler.ops import CDIDevice, Platform, SecurityMode
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.lang.dockerfile.heredocs import is_heredoc
from pybuild.lang.dockerfile.instructions import CommandLine, Heredoc, RunInstruction


def run(
    lowering: Lowering, stage: StageState, instruction: RunInstruction, sources: Mapping[str, StageState]
) -> None:
    """Runs the command; the history entry names the arguments in scope and their values. `sources` are what
    the mounts take files of, by name."""
    stage.paths.add("/")
    given = read_mounts(lowering, stage, instruction)
    command = _command(instruction.command)
    args = with_shell(stage, command.line)
    shown = instruction.text + (f" ({command.summary})" if command.summary is not None else "")
    name = step_name(
        stage,
        upper_instruction(
            lowering.words.shown(shown, shown_environment(stage.environment, given), command=True)
        ),
        platform=stage.platform if lowering.options.multi_platform and stage.files_have_platform else None,
        environment=stage.environment,
    )
    entry = history.run(args, stage.build_args, stage.environment)
    options = Options(
        name=name,
        description={"com.docker.dockerfile.v1.command": instruction.text},
        ignore_cache=stage.ignore_cache,
        spans=(instruction.span,),
    )
    mounts = [*_script(command.script), *step_mounts(lowering, stage, given, sources)]
    stage.files = _exec(lowering, stage, instruction, args, mounts, options)
    record(lowering, stage, entry + " # buildkit", layer=True)


@frozen
class _Command:
    """The line to run, the script to mount for it, and what progress adds to the instruction's text."""

    line: CommandLine
    script: Heredoc | None = None
    summary: str | None = None


def _command(line: CommandLine) -> _Command:
    """A lone heredoc is the command itself: a script of its own when it says by what it is run.

    Where heredocs stand among other words, the shell is given the text as it was and reads them itself.
    """
    if not line.heredocs:
        return _Command(line)
    text = line.args[0]
    first = line.heredocs[0]
    if not is_heredoc(text):
        bodies = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in line.heredocs)
        return _Command(CommandLine((text + bodies,), shell=True))
    summary = heredoc_summary(first.content)
    if first.body.startswith("#!"):
        return _Command(CommandLine((clean(PIPES + first.name),), shell=True), first, summary)
    return _Command(CommandLine((first.body,), shell=True), None, summary)


def _exec(
    lowering: Lowering,
    stage: StageState,
    instruction: RunInstruction,
    args: tuple[str, ...],
    mounts: list[StepMount],
    options: Options,
) -> Pending:
    state = _command_state(lowering, stage)
    mounts.extend(_fixed(mount) for mount in shared_memory(lowering.options.steps))
    network = NETWORKS.get(instruction.network)
    security = SecurityMode.INSECURE if instruction.security == "insecure" else None
    devices = [CDIDevice(device.name, optional=not device.required) for device in instruction.devices]

    def make(inputs: Inputs) -> Edge | None:
        root, *sources = inputs
        done = state.at(root).run(
            args,
            mounts=[mount.make(edge) for mount, edge in zip(mounts, sources, strict=True)],
            network=network,
            security=security,
            proxy=lowering.proxy,
            devices=devices,
            options=options,
        )
        return done.edge

    return Pending(make, (stage.files, *(mount.source for mount in mounts)))


def _command_state(lowering: Lowering, stage: StageState) -> State:
    """What the command inherits, without its file system."""
    return command_state(
        lowering.options.steps,
        cwd=stage.cwd,
        environment=stage.environment,
        user=stage.user,
        platform=platform_of_steps(lowering, stage),
        hostname=lowering.options.hostname,
    )


def platform_of_steps(lowering: Lowering, stage: StageState) -> Platform:
    """The platform a stage's commands are for; an empty base leaves it to the build's target."""
    if stage.files_have_platform and stage.platform is not None:
        return platforms.normalize(stage.platform)
    return lowering.platforms.target


def _script(script: Heredoc | None) -> list[StepMount]:
    """The mount that holds a script, if there is one."""
    if script is None:
        return []
    return [_fixed(script_mount(script.name, script.body))]


def _fixed(mount: AnyMount) -> StepMount:
    return StepMount(lambda edge: mount)
