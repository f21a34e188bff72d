"""Parses RUN: its flags and its command.

The reference is BuildKit's `frontend/dockerfile/instructions/commands_runmount.go` and its neighbours. A mount is
only split into fields here, since variables may stand in them; a device is read completely. BuildKit has `--device`
in its `labs` channel only; it is accepted here with that channel's meaning.
"""

from __future__ import annotations

from attrs import evolve

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import suggest
from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.fields import BadFields, split_fields
from pybuild.lang.dockerfile.flags import read_flags
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.instructions import CommandLine, RunDevice, RunInstruction, RunMount
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import Warn

NETWORKS = ("default", "none", "host")
SECURITIES = ("sandbox", "insecure")
_DEVICE_KEYS = ("name", "required")


def command_line(node: Node, words: list[Word]) -> CommandLine:
    if node.json:
        return CommandLine(tuple(word.text for word in words), shell=False)
    return CommandLine((" ".join(word.text for word in words),), shell=True, heredocs=tuple(node.heredocs))


def parse_run(node: Node, warn: Warn) -> RunInstruction:
    flags = read_flags(node, ("network", "security"), repeated=("mount", "device"))
    network = _choice(node, flags.get("network"), NETWORKS, "invalid network mode {}")
    security = _choice(node, flags.get("security"), SECURITIES, "security {} is not valid")
    mounts = tuple(_mount(node, word) for word in flags.all("mount"))
    devices = tuple(_device(node, word) for word in flags.all("device"))
    command = command_line(node, node.words)
    if not command.args:
        raise node.error("RUN has an empty command", node.rest)
    return RunInstruction(
        node.span, node.text, command, network=network, security=security, mounts=mounts, devices=devices
    )


def _choice(node: Node, value: Word | None, choices: tuple[str, ...], problem: str) -> str:
    if value is None or value.text in choices:
        return value.text if value else ""
    near = suggest(value.text, choices)
    raise node.error(
        problem.format(quote(value.text)),
        value,
        help=f"did you mean {near}?" if near else f"give one of {', '.join(choices)}",
    )


def _mount(node: Node, word: Word) -> RunMount:
    options: list[tuple[str, str | None]] = []
    from_name = ""
    for field in _fields(node, word, "mounts"):
        name, equals, value = field.partition("=")
        options.append((name, value if equals else None))
        if not equals or name.lower() != "from":
            continue
        if "$" in value[:-1]:
            raise node.error(
                "'from' doesn't support variable expansion, define alias stage instead",
                word,
                help="name a stage with FROM $VARIABLE AS name, an ARG before the first FROM giving the variable",
            )
        from_name = value
    return RunMount(node.place(word), tuple(options), from_name)


def _device(node: Node, word: Word) -> RunDevice:
    """Read a device: a CDI name, bare or as `name=…`, and perhaps `required`."""
    device = RunDevice("")
    for field in _fields(node, word, "devices"):
        key, equals, value = field.partition("=")
        key = key.lower()
        if key == "required":
            required = truth(value) if equals else True
            if required is None:
                raise node.error(
                    f"invalid value for required: {printable(value)}", word, help="give true or false"
                )
            device = evolve(device, required=required)
        elif key == "name" and equals:
            if device.name:
                raise node.error(f"device name already set to {printable(device.name)}", word)
            device = evolve(device, name=value)
        elif not device.name:
            device = evolve(device, name=field)
        elif not equals:
            raise node.error(f"invalid field '{printable(field)}' must be a key=value pair", word)
        else:
            near = suggest(key, _DEVICE_KEYS)
            raise node.error(
                f"unexpected key '{printable(key)}' in '{printable(field)}'",
                word,
                help=f"did you mean {near}?" if near else "a device has name=… and required",
            )
    if not device.name:
        raise node.error("a device has no name", word, help="write --device=vendor.example/class=name")
    return device


def _fields(node: Node, word: Word, what: str) -> list[str]:
    try:
        return split_fields(word.text)
    except BadFields as error:
        raise node.error(
            f"failed to parse csv {what}: {error}",
            word,
            help="separate the fields with commas; one that holds a comma or a quote stands in double quotes, "
            "and the whole in single ones",
        ) from None
