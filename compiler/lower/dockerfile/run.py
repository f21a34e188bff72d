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
    """Apply a RUN. The history entry has the arguments in scope with their values. `sources` are the stages and
    images of mounts, by name. Raises `SourceError`."""
    # A command may read anything of its root.
    stage.paths.add("/")
    read = read_mounts(lowering, stage, instruction)
    command = _command(instruction.command)
    args = with_shell(stage, command.line)
    shown = instruction.text + (f" ({command.summary})" if command.summary is not None else "")
    name = step_name(
        stage,
        upper_instruction(
            lowering.words.shown(shown, shown_environment(stage.environment, read), command=True)
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
    mounts = [*_script(command.script), *step_mounts(lowering, stage, read, sources)]
    stage.files = _exec(lowering, stage, instruction, args, mounts, options)
    record(lowering, stage, entry + " # buildkit", layer=True)


@frozen
class _Command:
    """A command line, the script that is mounted for it, and a summary that progress adds to the instruction's
    text."""

    line: CommandLine
    script: Heredoc | None = None
    summary: str | None = None


def _command(line: CommandLine) -> _Command:
    """Return the command of a RUN.

    A heredoc alone is the command: with a `#!` line it is mounted as a script, else it is the text for the shell. If
    there are other words, the shell gets the text with the heredocs and reads them itself.
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
    """Return the state that the command runs in, without its file system."""
    return command_state(
        lowering.options.steps,
        cwd=stage.cwd,
        environment=stage.environment,
        user=stage.user,
        platform=platform_of_steps(lowering, stage),
        hostname=lowering.options.hostname,
    )


def platform_of_steps(lowering: Lowering, stage: StageState) -> Platform:
    """Return the platform of a stage's commands; with an empty base it is the build's target."""
    if stage.files_have_platform and stage.platform is not None:
        return platforms.normalize(stage.platform)
    return lowering.platforms.target


def _script(script: Heredoc | None) -> list[StepMount]:
    """Return the mount of a script; empty without one."""
    if script is None:
        return []
    return [_fixed(script_mount(script.name, script.body))]


def _fixed(mount: AnyMount) -> StepMount:
    return StepMount(lambda edge: mount)
