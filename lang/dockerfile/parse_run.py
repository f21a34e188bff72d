"""RUN: its flags and its command.

The reference is BuildKit's `frontend/dockerfile/instructions/commands_runmount.go` and its neighbours.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import suggest
from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.flags import read_flags
from pybuild.lang.dockerfile.instructions import CommandLine, RunInstruction
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import Warn

NETWORKS = ("default", "none", "host")
SECURITIES = ("sandbox", "insecure")


def command_line(node: Node, words: list[Word]) -> CommandLine:
    if node.json:
        return CommandLine(tuple(word.text for word in words), shell=False)
    return CommandLine((" ".join(word.text for word in words),), shell=True, heredocs=tuple(node.heredocs))


def parse_run(node: Node, warn: Warn) -> RunInstruction:
    flags = read_flags(node, ("network", "security"))
    network = _choice(node, flags.get("network"), NETWORKS)
    security = _choice(node, flags.get("security"), SECURITIES)
    command = command_line(node, node.words)
    if not command.args:
        raise node.error("RUN has an empty command", node.rest)
    return RunInstruction(node.span, node.text, command, network=network, security=security)


def _choice(node: Node, value: Word | None, choices: tuple[str, ...]) -> str:
    if value is None or value.text in choices:
        return value.text if value else ""
    near = suggest(value.text, choices)
    raise node.error(
        f"{printable(value.text)} is not one of {', '.join(choices)}",
        value,
        help=f"did you mean {near}?" if near else None,
    )
