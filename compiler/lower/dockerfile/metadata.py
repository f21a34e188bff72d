"""Instructions that change the image config and the settings of later commands, but no files."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from pybuild.compiler.image import Healthcheck
from pybuild.compiler.lower.dockerfile import history
from pybuild.compiler.lower.dockerfile.arguments import NOT_IN_ENVIRONMENT
from pybuild.compiler.lower.dockerfile.checks import (
    check_once,
    check_pair,
    check_port,
    check_secret,
    check_shell_form,
)
from pybuild.compiler.lower.dockerfile.lowering import Lowering
from pybuild.compiler.lower.dockerfile.notes import note_declared
from pybuild.compiler.lower.dockerfile.signals import is_signal, known_signals
from pybuild.compiler.lower.dockerfile.stages import StageState
from pybuild.lang.diagnostics import source_error, suggest
from pybuild.lang.dockerfile.expose import ports
from pybuild.lang.dockerfile.instructions import (
    Arg,
    ArgInstruction,
    CmdInstruction,
    CommandLine,
    EntrypointInstruction,
    EnvInstruction,
    ExposeInstruction,
    HealthcheckInstruction,
    LabelInstruction,
    MaintainerInstruction,
    OnbuildInstruction,
    ShellInstruction,
    StopSignalInstruction,
    UserInstruction,
    VolumeInstruction,
)

DEFAULT_SHELL = ("/bin/sh", "-c")


def record(lowering: Lowering, stage: StageState, created_by: str, *, layer: bool = False) -> None:
    """Append an entry to the image's history."""
    stage.image = stage.image.with_history(created_by, layer=layer, created=lowering.created)


def with_shell(stage: StageState, command: CommandLine) -> tuple[str, ...]:
    """Return the arguments of a command line: as written in exec form, else with the stage's shell before them."""
    if not command.shell:
        return command.args
    return (*(stage.image.config.shell or DEFAULT_SHELL), " ".join(command.args))


def env(lowering: Lowering, stage: StageState, instruction: EnvInstruction) -> None:
    """Apply an ENV. Every value is expanded with the variables before the instruction."""
    pairs = []
    for pair in instruction.env:
        key = lowering.words.one(pair.key, stage.environment, instruction.span)
        pairs.append((key, lowering.words.one(pair.value, stage.environment, instruction.span)))
    for pair, (key, _) in zip(instruction.env, pairs, strict=True):
        check_pair(lowering, stage, instruction, legacy=pair.legacy)
        check_secret(lowering, stage, "ENV", key, instruction)
    set_env(lowering, stage, pairs)


def set_env(lowering: Lowering, stage: StageState, pairs: Iterable[tuple[str, str]]) -> None:
    """Set variables of the image and of later commands, with an entry of history."""
    message = "ENV"
    for key, value in pairs:
        message += f" {key}={value}"
        stage.set_variable(key, value)
        stage.image = evolve(stage.image, config=stage.image.config.with_env(key, value))
    record(lowering, stage, message)


def label(lowering: Lowering, stage: StageState, instruction: LabelInstruction) -> None:
    message = "LABEL"
    labels = dict(stage.image.config.labels)
    for pair in instruction.labels:
        key = lowering.words.one(pair.key, stage.environment, instruction.span)
        labels[key] = lowering.words.one(pair.value, stage.environment, instruction.span)
        message += f" {key}={labels[key]}"
    for pair in instruction.labels:
        check_pair(lowering, stage, instruction, legacy=pair.legacy)
    stage.image = stage.image.with_config(labels=labels)
    record(lowering, stage, message)


def arg(lowering: Lowering, stage: StageState, instruction: ArgInstruction) -> None:
    """Apply an ARG. A build argument wins over the default, the default over the value of global scope."""
    shown = []
    for declared in instruction.args:
        check_secret(lowering, stage, "ARG", declared.key, instruction)
        value = _arg_value(lowering, stage, declared, instruction)
        if value is not None and declared.key not in NOT_IN_ENVIRONMENT:
            stage.set_variable(declared.key, value)
        stage.build_args.append((declared.key, value))
        note_declared(lowering, stage, declared, value, instruction.span)
        shown.append(declared.key if value is None else f"{declared.key}={value}")
    record(lowering, stage, "ARG " + " ".join(shown))


def _arg_value(
    lowering: Lowering, stage: StageState, declared: Arg, instruction: ArgInstruction
) -> str | None:
    if declared.key in lowering.build_args:
        return lowering.build_args[declared.key]
    if declared.value is not None:
        return lowering.words.one(declared.value, stage.environment, instruction.span)
    return lowering.global_args.get(declared.key)


def cmd(lowering: Lowering, stage: StageState, instruction: CmdInstruction) -> None:
    check_once(lowering, stage, instruction)
    check_shell_form(lowering, stage, instruction)
    args = with_shell(stage, instruction.command)
    stage.image = stage.image.with_config(cmd=args, args_escaped=True)
    record(lowering, stage, "CMD " + history.quoted_list(args))


def entrypoint(lowering: Lowering, stage: StageState, instruction: EntrypointInstruction) -> None:
    """Apply an ENTRYPOINT. A CMD of the base is dropped: it was meant for another entry point."""
    check_once(lowering, stage, instruction)
    check_shell_form(lowering, stage, instruction)
    args = with_shell(stage, instruction.command)
    stage.image = stage.image.with_config(entrypoint=args)
    if CmdInstruction not in stage.once:
        stage.image = stage.image.with_config(cmd=())
    record(lowering, stage, "ENTRYPOINT " + history.quoted_list(args))


def healthcheck(lowering: Lowering, stage: StageState, instruction: HealthcheckInstruction) -> None:
    check_once(lowering, stage, instruction)
    check = Healthcheck(
        test=instruction.test,
        interval=instruction.interval,
        timeout=instruction.timeout,
        start_period=instruction.start_period,
        start_interval=instruction.start_interval,
        retries=instruction.retries,
    )
    stage.image = stage.image.with_config(healthcheck=check)
    record(lowering, stage, history.healthcheck(check))


def user(lowering: Lowering, stage: StageState, instruction: UserInstruction) -> None:
    stage.user = lowering.words.one(instruction.user, stage.environment, instruction.span)
    stage.image = stage.image.with_config(user=stage.user)
    record(lowering, stage, f"USER {stage.user}")


def volume(lowering: Lowering, stage: StageState, instruction: VolumeInstruction) -> None:
    volumes = [lowering.words.one(text, stage.environment, instruction.span) for text in instruction.volumes]
    if not all(volumes):
        raise source_error(
            "VOLUME specified can not be an empty string",
            instruction.span,
            help="a variable in it may be unset",
        )
    stage.image = stage.image.with_config(volumes=stage.image.config.volumes | set(volumes))
    record(lowering, stage, "VOLUME " + history.plain_list(volumes))


def expose(lowering: Lowering, stage: StageState, instruction: ExposeInstruction) -> None:
    texts = lowering.words.many(instruction.ports, stage.environment, instruction.span)

    def check(port: str, protocol: str, *, mapped: bool) -> None:
        check_port(lowering, stage, instruction, port, protocol, mapped=mapped)

    exposed = ports(texts, instruction.span, check)
    stage.image = stage.image.with_config(exposed_ports=stage.image.config.exposed_ports | set(exposed))
    record(lowering, stage, "EXPOSE " + history.plain_list(exposed))


def stop_signal(lowering: Lowering, stage: StageState, instruction: StopSignalInstruction) -> None:
    signal = lowering.words.one(instruction.signal, stage.environment, instruction.span)
    if not is_signal(signal):
        near = suggest(signal.upper().removeprefix("SIG"), sorted(known_signals()))
        raise source_error(
            f"invalid signal: {signal}",
            instruction.span,
            help=f"did you mean SIG{near}?" if near else "give a name such as SIGTERM, or a number above 0",
        )
    stage.image = stage.image.with_config(stop_signal=signal)
    record(lowering, stage, f"STOPSIGNAL {signal}")


def shell(lowering: Lowering, stage: StageState, instruction: ShellInstruction) -> None:
    stage.image = stage.image.with_config(shell=instruction.shell)
    record(lowering, stage, "SHELL " + history.plain_list(instruction.shell))


def onbuild(lowering: Lowering, stage: StageState, instruction: OnbuildInstruction) -> None:
    """Add a trigger, without an entry of history."""
    triggers = (*stage.image.config.on_build, instruction.expression)
    stage.image = stage.image.with_config(on_build=triggers)


def maintainer(lowering: Lowering, stage: StageState, instruction: MaintainerInstruction) -> None:
    stage.image = evolve(stage.image, author=instruction.maintainer)
    record(lowering, stage, f"MAINTAINER {instruction.maintainer}")
