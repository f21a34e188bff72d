"""RUN: a command in the stage's file system."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pybuild.compiler import platforms
from pybuild.compiler.graph import Edge
from pybuild.compiler.lower.dockerfile import history
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.metadata import record, with_shell
from pybuild.compiler.lower.dockerfile.names import heredoc_summary, step_name, upper_instruction
from pybuild.compiler.lower.dockerfile.pending import Inputs, Pending
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.compiler.mounts import AnyMount, bind, tmpfs
from pybuild.compiler.ops import NetMode, Platform, SecurityMode
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, mkfile
from pybuild.lang.dockerfile.heredocs import is_heredoc
from pybuild.lang.dockerfile.instructions import CommandLine, Heredoc, RunInstruction

PIPES = "/dev/pipes/"
"""Where a script given as a heredoc is mounted."""

NETWORKS = {"none": NetMode.NONE, "host": NetMode.HOST}


def run(
    lowering: Lowering, stage: StageState, instruction: RunInstruction, sources: Mapping[str, StageState]
) -> None:
    """Runs the command; the history entry names the arguments in scope and their values. `sources` are what
    the mounts take files of, by name."""
    stage.paths.add("/")
    command = _command(instruction.command)
    args = with_shell(stage, command.line)
    shown = instruction.text + (f" ({command.summary})" if command.summary is not None else "")
    name = step_name(
        stage,
        upper_instruction(lowering.words.shown(shown, stage.environment, command=True)),
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
    stage.files = _exec(lowering, stage, instruction, args, command.script, options)
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
        return _Command(CommandLine((PIPES + first.name,), shell=True), first, summary)
    return _Command(CommandLine((first.body,), shell=True), None, summary)


def _exec(
    lowering: Lowering,
    stage: StageState,
    instruction: RunInstruction,
    args: tuple[str, ...],
    script: Heredoc | None,
    options: Options,
) -> Pending:
    state = _command_state(lowering, stage)
    mounts: list[AnyMount] = []
    if script is not None:
        mounts.append(bind(PIPES, _inline(script), selector="/", readonly=True))
    if lowering.options.shm_size > 0:
        mounts.append(tmpfs("/dev/shm", size=lowering.options.shm_size))
    network = NETWORKS.get(instruction.network)
    security = SecurityMode.INSECURE if instruction.security == "insecure" else None

    def make(inputs: Inputs) -> Edge | None:
        done = state.at(inputs[0]).run(
            args, mounts=mounts, network=network, security=security, proxy=lowering.proxy, options=options
        )
        return done.edge

    return Pending(make, (stage.files,))


def _command_state(lowering: Lowering, stage: StageState) -> State:
    """What the command inherits, without its file system."""
    options = lowering.options
    return State(
        cwd=stage.cwd,
        environment=tuple(stage.environment.items()),
        user_name=stage.user,
        host_name=options.hostname,
        platform=platform_of_steps(lowering, stage),
        network_mode=NETWORKS.get(options.network_default, NetMode.UNSET),
        extra_hosts=options.add_hosts,
        ulimits=options.ulimits,
        cgroup_parent=options.cgroup_parent,
    )


def platform_of_steps(lowering: Lowering, stage: StageState) -> Platform:
    """The platform a stage's commands are for; an empty base leaves it to the build's target."""
    if stage.files_have_platform and stage.platform is not None:
        return platforms.normalize(stage.platform)
    return lowering.platforms.target


def _inline(script: Heredoc) -> State:
    options = Options(name="[internal] preparing inline document")
    return State.scratch().file(mkfile(script.name, script.body.encode(), mode=0o755), options=options)
