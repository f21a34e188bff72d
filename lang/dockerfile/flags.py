"""Flags of instructions: `--name=value` before the arguments.

The reference is BuildKit's `frontend/dockerfile/instructions/bflag.go`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, Label, SourceError, meant, suggest
from pybuild.lang.dockerfile.arguments import Word
from pybuild.lang.dockerfile.characters import printable
from pybuild.lang.dockerfile.nodes import Node
from pybuild.lang.dockerfile.reader import Warn

SYNTAX = "pybuild/dockerfile:1"
"""The value of `# syntax=` that enables the extensions."""


def opt_in(node: Node, what: str, word: Word | None = None) -> SourceError:
    """Make the error for an extension in a file of the standard syntax."""
    return node.error(
        f"{what} is no part of the standard Dockerfile syntax",
        word,
        help=f"this is an extension of pybuild: to use it, begin the file with `# syntax={SYNTAX}`",
    )


class Flags:
    """The flags of one node, checked: each is known, and stands once unless it may be `repeated`."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[Word]]) -> None:
        self._values = values

    def get(self, name: str) -> Word | None:
        """Return the value with its place, None if the flag isn't set."""
        values = self._values.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str:
        """Return the value, empty if the flag isn't set."""
        value = self.get(name)
        return value.text if value is not None else ""

    def all(self, name: str) -> list[Word]:
        """Return the values of a repeated flag."""
        return self._values.get(name, [])

    def switch(self, name: str) -> bool | None:
        """Return the value of a switch, None if it isn't set."""
        value = self.get(name)
        return None if value is None else value.text == "true"


def read_flags(
    node: Node,
    names: tuple[str, ...] = (),
    *,
    switches: tuple[str, ...] = (),
    repeated: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (),
) -> Flags:
    """Return the node's flags. `names` and `repeated` flags need a value; `switches` take none, `true` or `false`.

    Flags in `extensions` need a file that enables the extensions. Raises SourceError.
    """
    known = (*names, *switches, *repeated)
    values: dict[str, list[Word]] = {}
    first: dict[str, Word] = {}
    for flag in node.flags:
        name, equals, value = flag.text.removeprefix("--").partition("=")
        if name not in known:
            raise _unknown(node, flag, name, tuple(one for one in known if one not in extensions))
        if name in extensions and not node.extended:
            written = Word("--" + name, flag.start, min(flag.start + len(name) + 2, flag.end))
            raise opt_in(node, f"{node.keyword} --{name}", written)
        if name in first and name not in repeated:
            raise _twice(node, flag, first[name], name)
        first.setdefault(name, flag)
        if name in switches:
            value = value.lower() if equals else "true"
            if value not in ("true", "false"):
                raise _not_boolean(node, flag, name)
        elif not equals:
            raise node.error(
                f"the flag --{name} needs a value",
                flag,
                help=f"write --{name}=…",
                buildkit=f"missing a value on flag: --{name}",
            )
        start = min(flag.start + len(name) + 3, flag.end)
        values.setdefault(name, []).append(Word(value, start, flag.end))
    return Flags(values)


def ignore_flags(node: Node, warn: Warn, what: str) -> None:
    """Warn about each flag of `what`, which BuildKit drops without a look."""
    for flag in node.flags:
        warn(
            Diagnostic(
                f"{what} takes no flags: {printable(flag.text)} has no effect",
                labels=[Label(node.place(flag))],
                level="warning",
            )
        )


def _not_boolean(node: Node, flag: Word, name: str) -> SourceError:
    value = flag.text.partition("=")[2]
    buildkit = f"expecting boolean value for flag --{name}, not: {value}"
    return node.error(
        f"the flag --{name} takes true or false, not {printable(value.lower())}",
        flag,
        buildkit=buildkit if value else f"missing a value on flag: --{name}",
    )


def _twice(node: Node, flag: Word, first: Word, name: str) -> SourceError:
    return SourceError(
        Diagnostic(
            f"{node.keyword} has the flag --{name} twice",
            labels=[
                Label(node.place(flag)),
                Label(node.place(first), "first given here", primary=False),
            ],
            buildkit=f"duplicate flag specified: --{name}",
            lines=(node.line.number, node.end_line),
        )
    )


def _unknown(node: Node, flag: Word, name: str, names: tuple[str, ...]) -> SourceError:
    written = Word("--" + name, flag.start, min(flag.start + len(name) + 2, flag.end))
    near = suggest(name, names)
    hint = f"did you mean --{near}?" if near else None
    if hint is None and names:
        hint = f"{node.keyword} takes " + ", ".join(f"--{known}" for known in names)
    return node.error(
        f"{node.keyword} has no flag {printable('--' + name)}",
        written,
        help=hint,
        buildkit=f"unknown flag: --{name}{meant(name, names)}",
    )
