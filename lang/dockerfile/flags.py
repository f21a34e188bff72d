"""Flags of instructions: `--name=value` before the arguments.

The reference is BuildKit's `frontend/dockerfile/instructions/bflag.go`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, suggest
from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import Warn

# Flags of the Dockerfile language that this builder refuses, with what can be written instead.
UNSUPPORTED = {
    "add": {
        "checksum": "fetch the file in a RUN and compare it there with sha256sum",
        "exclude": "list the paths to leave out in .dockerignore",
        "keep-git-dir": "clone the repository in a RUN",
        "link": "leave the flag out: the files are the same, only the layer is no longer independent",
        "unpack": "unpack in a RUN, or use COPY for a file that must stay packed",
    },
    "copy": {
        "exclude": "list the paths to leave out in .dockerignore",
        "link": "leave the flag out: the files are the same, only the layer is no longer independent",
        "parents": "write one COPY for each directory, with the directory in the destination",
    },
    "run": {
        "device": "",
        "mount": "for type=bind use COPY; without a type=cache mount the step does the same, only slower",
    },
}


def read_flags(node: Node, names: tuple[str, ...] = ()) -> dict[str, Word]:
    """The values of the node's flags, of which only `names` may be given, each once. Raises SourceError."""
    values: dict[str, Word] = {}
    given: dict[str, Word] = {}
    for flag in node.flags:
        name, equals, value = flag.text.removeprefix("--").partition("=")
        if name not in names:
            raise _unknown(node, flag, name, names)
        if name in given:
            raise SourceError(
                Diagnostic(
                    f"{node.keyword} has the flag --{name} twice",
                    labels=[
                        Label(node.place(flag)),
                        Label(node.place(given[name]), "first given here", primary=False),
                    ],
                )
            )
        if not equals:
            raise node.error(f"the flag --{name} needs a value", flag, help=f"write --{name}=…")
        given[name] = flag
        start = min(flag.start + len(name) + 3, flag.end)
        values[name] = Word(value, start, flag.end)
    return values


def ignore_flags(node: Node, warn: Warn, what: str) -> None:
    """Warn of flags of `what`, which the reference builder drops without a look at them."""
    for flag in node.flags:
        warn(
            Diagnostic(
                f"{what} takes no flags: {printable(flag.text)} has no effect",
                labels=[Label(node.place(flag))],
                level="warning",
            )
        )


def _unknown(node: Node, flag: Word, name: str, names: tuple[str, ...]) -> SourceError:
    unsupported = UNSUPPORTED.get(node.name.text.lower(), {})
    written = Word("--" + name, flag.start, min(flag.start + len(name) + 2, flag.end))
    if name in unsupported:
        return node.error(
            f"{node.keyword} --{name} is not supported by this version of pybuild",
            flag,
            help=unsupported[name] or None,
        )
    near = suggest(name, (*names, *unsupported))
    hint = f"did you mean --{near}?" if near else None
    if hint is None and names:
        hint = f"{node.keyword} takes " + ", ".join(f"--{known}" for known in names)
    return node.error(f"{node.keyword} has no flag {printable('--' + name)}", written, help=hint)
