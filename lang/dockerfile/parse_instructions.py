"""Turns nodes into typed instructions: one function per instruction, in a table. COPY and ADD are in `parse_copy`,
RUN in `parse_run`.

The reference is BuildKit's `frontend/dockerfile/instructions/parse.go`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, meant, suggest
from pybuild.lang.dockerfile.arguments import Word, pairs
from pybuild.lang.dockerfile.characters import BLANKS, printable, replace_invalid
from pybuild.lang.dockerfile.durations import MILLISECOND, parse_duration
from pybuild.lang.dockerfile.extensions import INSTRUCTIONS as EXTENSIONS
from pybuild.lang.dockerfile.extensions import parse_unset
from pybuild.lang.dockerfile.flags import ignore_flags, opt_in, read_flags
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.instructions import (
    Arg,
    ArgInstruction,
    CmdInstruction,
    EntrypointInstruction,
    EnvFileInstruction,
    EnvInstruction,
    ExposeInstruction,
    HealthcheckInstruction,
    Instruction,
    KeyValue,
    LabelInstruction,
    MaintainerInstruction,
    OnbuildInstruction,
    ShellInstruction,
    Stage,
    StopSignalInstruction,
    UnsetInstruction,
    UserInstruction,
    VolumeInstruction,
    WorkdirInstruction,
)
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.parse_copy import parse_add, parse_copy
from pybuild.lang.dockerfile.parse_run import command_line, parse_run
from pybuild.lang.dockerfile.reader import HEREDOC_INSTRUCTIONS, Warn

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_MOST_RETRIES = 2**31 - 1


def parse_instruction(node: Node, warn: Warn, above: Node | None = None) -> Instruction | Stage:
    """Interpret one node; a FROM gives a stage without commands. `above` is the node before it.

    Raises SourceError.
    """
    parse = INSTRUCTIONS.get(node.name.text.lower())
    if parse is None:
        raise _unknown(node, above)
    return parse(node, warn)


def _unknown(node: Node, above: Node | None) -> SourceError:
    if not node.name.text:
        return node.error("the file ends where a line is continued", help=f"remove the last {node.escape}")
    near = suggest(node.keyword, _names())
    hint = f"did you mean {near}?" if near else None
    if hint is None and above is not None:
        kind = above.name.text.lower()
        if kind in INSTRUCTIONS and kind not in HEREDOC_INSTRUCTIONS and "<<" in above.rest.text:
            hint = f"{above.keyword} takes no heredoc: only RUN, COPY and ADD do"
        elif above.end_line == node.line.number - 1:
            hint = f"if this line continues the one above, end that one with {node.escape}"
    return node.error(
        f"unknown instruction {printable(node.name.text)}",
        help=hint,
        buildkit=f"unknown instruction: {node.name.text}{meant(node.keyword, _names())}",
    )


def _some(node: Node) -> list[Word]:
    if not node.words:
        raise node.error(f"{node.keyword} requires at least one argument")
    return node.words


def _single(node: Node) -> str:
    if len(node.words) != 1:
        raise node.error(f"{node.keyword} requires exactly one argument")
    return node.words[0].text


def _from(node: Node, warn: Warn) -> Stage:
    name = _stage_name(node)
    flags = read_flags(node, ("platform",))
    return Stage(
        node.span,
        node.text,
        base=node.words[0].text,
        name=name,
        platform=flags.text("platform"),
        comment=_comment(node, name),
    )


def _stage_name(node: Node) -> str:
    words = node.words
    if len(words) == 1:
        return ""
    if len(words) != 3 or words[1].text.lower() != "as":
        word = words[1] if len(words) > 1 else None
        hint = "write FROM image, or FROM image AS name"
        if word is not None and word.text.startswith("#"):
            hint = "a comment stands on a line of its own"
        elif len(words) == 3 and suggest(words[1].text, ["AS"]):
            hint = "did you mean AS?"
        raise node.error(
            "FROM requires one argument, or three of which the second is AS",
            word,
            help=hint,
            buildkit="FROM requires either one or three arguments",
        )
    name = words[2].text.lower()
    if not _STAGE_NAME.fullmatch(name):
        raise node.error(
            f"{printable(words[2].text)} cannot name a stage",
            words[2],
            help="a name starts with a letter and has only letters, digits, -, _ and .",
            buildkit=f"invalid name for build stage: {quote(words[2].text)}, "
            "name can't start with a number or contain symbols",
        )
    return name


def _comment(node: Node, name: str) -> str:
    """Return the doc comment of `name`: the first comment line above that starts with it."""
    if not name:
        return ""
    lines = (line for line in node.comments if line.startswith(name + " "))
    return next(lines, "").removeprefix(name + " ")


def _arg(node: Node, warn: Warn) -> ArgInstruction:
    words = _some(node)
    ignore_flags(node, warn, "ARG")
    args: list[Arg] = []
    for word, key, value in pairs(words):
        if value is not None and not key.text:
            raise node.error("an ARG has no name before its =", word, buildkit="ARG names can not be blank")
        args.append(Arg(key.text, None if value is None else value.text, _comment(node, key.text)))
    return ArgInstruction(node.span, node.text, tuple(args))


def _key_values(node: Node) -> tuple[KeyValue, ...]:
    words = _some(node)
    out: list[KeyValue] = []
    for key, value, mark in zip(words[::3], words[1::3], words[2::3], strict=True):
        if not key.text:
            raise node.error(
                f"{node.keyword} has a value without a name",
                Word("", key.start, value.end),
                buildkit=f"{node.keyword} names can not be blank",
            )
        out.append(KeyValue(key.text, value.text, legacy=not mark.text))
    return tuple(out)


def _env(node: Node, warn: Warn) -> EnvInstruction | EnvFileInstruction:
    file = read_flags(node, ("file",), extensions=("file",)).get("file")
    if file is None:
        return EnvInstruction(node.span, node.text, _key_values(node))
    if node.words or not file.text:
        raise node.error("ENV --file takes a path and no variables", file, help="write ENV --file=path")
    return EnvFileInstruction(node.span, node.text, file.text)


def _unset(node: Node, warn: Warn) -> UnsetInstruction:
    if not node.extended:
        raise opt_in(node, "UNSET")
    return parse_unset(node)


def _include(node: Node, warn: Warn) -> NoReturn:
    """Refuse an INCLUDE in a file of the standard syntax; extended files have theirs replaced before parsing."""
    raise opt_in(node, "INCLUDE")


def _label(node: Node, warn: Warn) -> LabelInstruction:
    read_flags(node)
    return LabelInstruction(node.span, node.text, _key_values(node))


def _workdir(node: Node, warn: Warn) -> WorkdirInstruction:
    path = _single(node)
    read_flags(node)
    return WorkdirInstruction(node.span, node.text, path)


def _user(node: Node, warn: Warn) -> UserInstruction:
    user = _single(node)
    read_flags(node)
    return UserInstruction(node.span, node.text, user)


def _maintainer(node: Node, warn: Warn) -> MaintainerInstruction:
    maintainer = _single(node)
    read_flags(node)
    return MaintainerInstruction(node.span, node.text, maintainer)


def _stopsignal(node: Node, warn: Warn) -> StopSignalInstruction:
    signal = _single(node)
    ignore_flags(node, warn, "STOPSIGNAL")
    return StopSignalInstruction(node.span, node.text, signal)


def _expose(node: Node, warn: Warn) -> ExposeInstruction:
    words = _some(node)
    read_flags(node)
    # BuildKit sorts the ports too, and the history shows them.
    return ExposeInstruction(node.span, node.text, tuple(sorted(word.text for word in words)))


def _volume(node: Node, warn: Warn) -> VolumeInstruction:
    words = [word.strip() for word in _some(node)]
    read_flags(node)
    if not all(word.text for word in words):
        raise node.error(
            "a VOLUME has an empty path",
            node.rest,
            buildkit="VOLUME specified can not be an empty string",
        )
    return VolumeInstruction(node.span, node.text, tuple(word.text for word in words))


def _cmd(node: Node, warn: Warn) -> CmdInstruction:
    read_flags(node)
    return CmdInstruction(node.span, node.text, command_line(node, node.words))


def _entrypoint(node: Node, warn: Warn) -> EntrypointInstruction:
    read_flags(node)
    return EntrypointInstruction(node.span, node.text, command_line(node, node.words))


def _shell(node: Node, warn: Warn) -> ShellInstruction:
    read_flags(node)
    words = _some(node)
    if not node.json:
        raise node.error(
            "SHELL requires its arguments as a JSON array",
            node.rest,
            help='write them as ["/bin/sh", "-c"]',
            buildkit="SHELL requires the arguments to be in JSON form",
        )
    return ShellInstruction(node.span, node.text, tuple(word.text for word in words))


def _healthcheck(node: Node, warn: Warn) -> HealthcheckInstruction:
    kind, *words = _some(node)
    if kind.text.upper() == "NONE":
        if words:
            raise node.error("HEALTHCHECK NONE takes no arguments", words[0])
        ignore_flags(node, warn, "HEALTHCHECK NONE")
        return HealthcheckInstruction(node.span, node.text, ("NONE",))
    times = ("interval", "timeout", "start-period", "start-interval")
    flags = read_flags(node, (*times, "retries"))
    if kind.text.upper() != "CMD":
        raise node.error(
            f"HEALTHCHECK takes CMD or NONE, not {printable(kind.text)}",
            kind,
            help="write HEALTHCHECK CMD command",
            buildkit=f"Unknown type {quote(kind.text.upper())} in HEALTHCHECK (try CMD)",
        )
    if not words:
        raise node.error(
            "HEALTHCHECK CMD has no command", kind, buildkit="Missing command after HEALTHCHECK CMD"
        )
    command = command_line(node, words)
    interval, timeout, start_period, start_interval = (_time(node, name, flags.get(name)) for name in times)
    return HealthcheckInstruction(
        node.span,
        node.text,
        ("CMD-SHELL" if command.shell else "CMD", *command.args),
        interval=interval,
        timeout=timeout,
        start_period=start_period,
        start_interval=start_interval,
        retries=_retries(node, flags.get("retries")),
    )


def _time(node: Node, name: str, value: Word | None) -> int:
    """Return a time in nanoseconds: zero, or at least a millisecond."""
    if value is None or not value.text:
        return 0
    try:
        time = parse_duration(value.text)
    except ValueError as error:
        raise node.error(
            f"--{name}={printable(value.text)} {error}",
            value,
            help="write a time like 30s, 1m30s or 500ms",
            buildkit=f"time: {_known(str(error))} duration {quote(value.text)}",
        ) from None
    if time and time < MILLISECOND:
        raise node.error(
            f"--{name} must be at least 1ms",
            value,
            buildkit=f"Interval {quote(name)} cannot be less than 1ms",
        )
    return time


def _known(problem: str) -> str:
    """Return Go's words for a problem with a duration."""
    if problem == "has no unit":
        return "missing unit in"
    unit = problem.removeprefix("has the unknown unit ")
    return "invalid" if unit == problem else f"unknown unit {quote(unit)} in"


def _retries(node: Node, value: Word | None) -> int:
    if value is None or not value.text:
        return 0
    if not _INTEGER.fullmatch(value.text):
        raise node.error(
            f"--retries must be a whole number, not {printable(value.text)}",
            value,
            buildkit=f"strconv.ParseInt: parsing {quote(value.text)}: invalid syntax",
        )
    number = int(value.text)
    if not 0 <= number <= _MOST_RETRIES:
        raise node.error(
            f"--retries must be between 0 and {_MOST_RETRIES}",
            value,
            buildkit=f"--retries cannot be negative ({number})"
            if number < 0
            else f"strconv.ParseInt: parsing {quote(value.text)}: value out of range",
        )
    return number


def _onbuild(node: Node, warn: Warn) -> OnbuildInstruction:
    trigger = _some(node)[0]
    read_flags(node)
    kind = trigger.text.upper()
    if kind in ("FROM", "MAINTAINER", "ONBUILD"):
        raise node.error(
            f"{kind} cannot be the trigger of an ONBUILD",
            trigger,
            buildkit="Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"
            if kind == "ONBUILD"
            else f"{kind} isn't allowed as an ONBUILD trigger",
        )
    if kind.lower() not in INSTRUCTIONS:
        near = suggest(kind, _names())
        warn(
            Diagnostic(
                f"ONBUILD stores the unknown instruction {printable(trigger.text)}",
                labels=[Label(node.place(trigger))],
                notes=[("help", f"did you mean {near}?")] if near else [],
                level="warning",
            )
        )
    # The trigger is stored as written, trailing white space and all; the heredocs' bodies are put back.
    trigger_text = replace_invalid(node.line.text[node.name.end :].lstrip(BLANKS))
    bodies = [f"\n{heredoc.content}{heredoc.name}" for heredoc in node.heredocs]
    return OnbuildInstruction(node.span, node.text, "".join([trigger_text, *bodies]))


def _names() -> list[str]:
    return sorted(name.upper() for name in INSTRUCTIONS if name not in EXTENSIONS)


INSTRUCTIONS: dict[str, Callable[[Node, Warn], Instruction | Stage]] = {
    "add": parse_add,
    "arg": _arg,
    "cmd": _cmd,
    "copy": parse_copy,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "from": _from,
    "healthcheck": _healthcheck,
    "include": _include,
    "label": _label,
    "maintainer": _maintainer,
    "onbuild": _onbuild,
    "run": parse_run,
    "shell": _shell,
    "stopsignal": _stopsignal,
    "unset": _unset,
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}
