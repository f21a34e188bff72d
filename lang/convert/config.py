"""Converts instructions that change the image config, each to its statement."""

from __future__ import annotations

import posixpath
import re

from pybuild.lang.convert import problems
from pybuild.lang.convert.arguments import PLATFORMS
from pybuild.lang.convert.expansion import Variable
from pybuild.lang.convert.names import IDENTIFIER, is_param
from pybuild.lang.convert.values import (
    Native,
    StringExpression,
    Value,
    is_local,
    known,
    literal,
    operand,
    quoted,
    string,
    strings,
    written,
)
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.dockerfile.expose import ports
from pybuild.lang.dockerfile.instructions import (
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
    WorkdirInstruction,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.source import Span

_UNITS: Final = ((3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"), (10**6, "ms"))
_LONGEST: Final = 92
"""The most characters of a statement with several pairs."""
_HIDDEN: Final = ("BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE")
"""Arguments that commands don't see, of features that the language doesn't have."""


def arg(stage: Stage, instruction: ArgInstruction) -> None:
    """Convert an ARG to a param, and to a variable of words and commands."""
    arguments = stage.shared.arguments
    for argument in instruction.args:
        if argument.key in _HIDDEN:
            stage.differs(f"{argument.key} is left out", instruction.span)
            continue
        if argument.value is None and argument.key in PLATFORMS and argument.key not in arguments.declared:
            if argument.key == "TARGETSTAGE":
                stage.differs("TARGETSTAGE is always default", instruction.span)
            stage.set_variable(argument.key, Variable(PLATFORMS[argument.key]))
            continue
        _check_name(argument.key, instruction)
        default = (
            None if argument.value is None else stage.value(argument.value, instruction.span, lenient=True)
        )
        if argument.value is None and argument.key in stage.shared.globals:
            variable = stage.shared.globals[argument.key]
        else:
            new = argument.key not in arguments.declared
            comments = tuple(filter(None, stage.comments)) if new and len(instruction.args) == 1 else ()
            variable = arguments.declare(argument.key, default, comments)
            stage.comments = [] if comments else stage.comments
        earlier = stage.variables.get(argument.key)
        if not variable.unset or earlier is None:
            stage.set_variable(argument.key, variable)
        elif earlier.image:
            # An argument that isn't passed leaves the variable unchanged.
            code = f'{argument.key} if {argument.key} != "" else {written(earlier.value)}'
            stage.set_variable(
                argument.key, Variable((StringExpression(code, local=is_local(earlier.value)),))
            )


def global_arg(stage: Stage, instruction: ArgInstruction) -> None:
    """Convert an ARG of global scope; `stage` is a stand-in for the part before the first stage."""
    shared = stage.shared
    for number, argument in enumerate(instruction.args):
        _check_name(argument.key, instruction)
        default = None if argument.value is None else stage.value(argument.value, instruction.span)
        if argument.key in PLATFORMS and default in (None, PLATFORMS[argument.key]):
            continue
        comments = tuple(filter(None, stage.comments)) if not number else ()
        shared.globals[argument.key] = shared.arguments.declare(argument.key, default, comments)
        stage.variables[argument.key] = shared.globals[argument.key]
    stage.comments = []


def _check_name(name: str, instruction: ArgInstruction) -> None:
    if not is_param(name):
        raise problems.not_a_name(name, instruction.span)


def env(stage: Stage, instruction: EnvInstruction) -> None:
    """Convert an ENV. Its values are expanded with the variables before the instruction, as in the language."""
    span = instruction.span
    pairs: list[tuple[str, Value, Value]] = []
    for pair in instruction.env:
        key = stage.text(pair.key, span, "the name of a variable")
        plain = _plain(stage, pair.value, span)
        pairs.append((key, stage.value(pair.value, span, native=True), plain))
    if all(IDENTIFIER.fullmatch(key) for key, _, _ in pairs):
        used = {piece.name for _, value, _ in pairs for piece in value if isinstance(piece, Native)}
        codes = [f"{key} = {written(value)}" for key, value, _ in _last(pairs)]
        _add_pairs(stage, "env", codes, together=not used.isdisjoint(key for key, _, _ in pairs))
    else:
        entries = (f"{string(key)}: {written(value)}" for key, value, _ in _last(pairs))
        stage.add("env {" + ", ".join(entries) + "}")
    for key, value, plain in pairs:
        stage.set_variable(key, Variable(plain if plain is not None else value, image=True))


def _plain(stage: Stage, text: str, span: Span) -> Value:
    """Return a value without variables of the language as far as possible, for use by later instructions."""
    try:
        return stage.value(text, span)
    except SourceError:
        return stage.value(text, span, native=True)


def _last(pairs: list[tuple[str, Value, Value]]) -> list[tuple[str, Value, Value]]:
    """Return the last pair of each name, in their order."""
    last: dict[str, tuple[str, Value, Value]] = {}
    for pair in pairs:
        last.pop(pair[0], None)
        last[pair[0]] = pair
    return list(last.values())


def label(stage: Stage, instruction: LabelInstruction) -> None:
    pairs: dict[Value, str] = {}
    for pair in instruction.labels:
        key = stage.value(pair.key, instruction.span, lenient=True)
        pairs[key] = written(stage.value(pair.value, instruction.span, lenient=True))
    pairs.pop((), None)
    if pairs:
        _add_pairs(stage, "label", [f"{quoted(key)} = {value}" for key, value in pairs.items()])


def _add_pairs(stage: Stage, word: str, pairs: Sequence[str], *, together: bool = False) -> None:
    """Add one statement, or one for each pair if that would be long. With `together` they must be one."""
    text = f"{word} {', '.join(pairs)}"
    if together or len(text) <= _LONGEST:
        stage.add(text)
    else:
        stage.add(*(f"{word} {pair}" for pair in pairs))


def maintainer(stage: Stage, instruction: MaintainerInstruction) -> None:
    stage.differs(f"the image names no author: {instruction.maintainer}", instruction.span)


def workdir(stage: Stage, instruction: WorkdirInstruction) -> None:
    value = stage.value(instruction.path, instruction.span, native=True) or literal(".")
    text = known(value) or ""
    if text.startswith("/") and posixpath.normpath(text) != text:
        stage.differs(f"the config says {posixpath.normpath(text)} for {text}", instruction.span)
    stage.add(f"workdir {written(value)}")
    stage.cwd = stage.at(_plain(stage, instruction.path, instruction.span))
    directory = None if stage.cwd is None else known(stage.cwd)
    if directory is not None:
        stage.enters(directory)


def user(stage: Stage, instruction: UserInstruction) -> None:
    value = stage.value(instruction.user, instruction.span)
    stage.user = known(value) or "?"
    stage.owners = stage.owners or stage.user.partition(":")[0] not in ("root", "0")
    stage.add(f"user {written(value)}")


def volume(stage: Stage, instruction: VolumeInstruction) -> None:
    paths = (stage.code(path, instruction.span) for path in instruction.volumes)
    stage.add("volume " + ", ".join(dict.fromkeys(paths)))


def expose(stage: Stage, instruction: ExposeInstruction) -> None:
    codes: list[str] = []
    for text in instruction.ports:
        for value in stage.values(text, instruction.span):
            port_text = known(value)
            if port_text is None:
                several = " " in (stage.shared.arguments.by_default(value) or "")
                codes.append(f'{operand(written(value))}.split(" ")' if several else written(value))
                continue
            for port in ports([port_text], instruction.span):
                if port.endswith("/sctp") or port.startswith("0/"):
                    stage.differs(f"{port} isn't exposed: the language doesn't know it", instruction.span)
                else:
                    codes.append(port.removesuffix("/tcp") if port.endswith("/tcp") else string(port))
    if codes:
        stage.add("expose " + ", ".join(dict.fromkeys(codes)))


def stop_signal(stage: Stage, instruction: StopSignalInstruction) -> None:
    stage.add(f"stop_signal {stage.code(instruction.signal, instruction.span)}")


def shell(stage: Stage, instruction: ShellInstruction) -> None:
    stage.shell = instruction.shell
    stage.add(f"shell {strings(instruction.shell)}")


def cmd(stage: Stage, instruction: CmdInstruction) -> None:
    stage.add(f"cmd {strings(_with_shell(stage, instruction.command))}")


def entrypoint(stage: Stage, instruction: EntrypointInstruction) -> None:
    stage.add(f"entrypoint {strings(_with_shell(stage, instruction.command))}")


def _with_shell(stage: Stage, command: CommandLine) -> tuple[str, ...]:
    return (*stage.shell, " ".join(command.args)) if command.shell else command.args


def healthcheck(stage: Stage, instruction: HealthcheckInstruction) -> None:
    kind, *args = instruction.test
    command = string("none") if kind == "NONE" else strings(args)
    if kind == "CMD-SHELL":
        stage.differs("the config says CMD and a shell for CMD-SHELL, which runs the same", instruction.span)
        command = strings((*stage.shell, *args))
    options = [
        f"{name}={_duration(value)}"
        for name in ("interval", "timeout", "start_period", "start_interval")
        if (value := getattr(instruction, name))
    ]
    if instruction.retries:
        options.append(f"retries={instruction.retries}")
    stage.add(", ".join((f"healthcheck {command}", *options)))


def _duration(nanoseconds: int) -> str:
    for size, unit in _UNITS:
        if not nanoseconds % size:
            return f"{nanoseconds // size}{unit}"
    return f"{max(1, round(nanoseconds / 10**6))}ms"


def onbuild(stage: Stage, instruction: OnbuildInstruction) -> None:
    """Keep a trigger for stages of this file that are built on this one; the image itself gets none."""
    stage.triggers.append(instruction.expression)
    what = re.split(r"\s", instruction.expression, maxsplit=1)[0].upper()
    stage.differs(f"the image has no trigger ONBUILD {what}", instruction.span)
