"""Statements as text of the language, for progress and for the history of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pybuild.lang import recipe
from pybuild.lang.recipe import State

LONGEST = 200
"""The most characters of a statement that progress shows."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "$": "\\$"}


def literal(text: str) -> str:
    """Return a string literal of the language with this value."""
    return '"' + "".join(_ESCAPES.get(char) or _plain(char) for char in text) + '"'


def _plain(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):X}}}"


def texts(items: Iterable[str]) -> str:
    return ", ".join(map(literal, items))


def listed(items: Iterable[str]) -> str:
    return f"[{texts(items)}]"


def pairs(items: Iterable[tuple[str, str]], *, names: bool = False) -> str:
    """Format `A = "x", B = "y"`; keys are string literals, or plain with `names`."""
    return ", ".join(f"{key if names else literal(key)} = {literal(value)}" for key, value in items)


def run(script: str, *, block: bool) -> str:
    script = script.removesuffix("\n")
    if not block:
        return f"run {script}"
    return "run:\n" + "\n".join(f"    {line}" if line else "" for line in script.split("\n"))


def summary(text: str) -> str:
    """Return the first line of a text, with dots if there is more."""
    first, newline, rest = text.partition("\n")
    if first == "run:":
        first, newline, _ = rest.lstrip().partition("\n")
        first = f"run {first}"
    if len(first) > LONGEST:
        return first[:LONGEST] + "…"
    return f"{first} ..." if newline else first


def exec_(statement: recipe.Exec) -> str:
    return f"exec {listed(statement.args)}"


def copy(statement: recipe.Copy) -> str:
    source = named(statement.source)
    out = f"copy {texts(source.path for source in statement.sources)}"
    out += (f" from {source}" if source else "") + f" to {literal(statement.dest)}"
    words = [_owner(statement.owner), _mode(statement.mode)]
    words += [f"exclude={listed(statement.exclude)}"] if statement.exclude else []
    flags = ("parents", "follow", "optional", "unpack", "link")
    words += [f"{flag}=true" for flag in flags if getattr(statement, flag)]
    return ", ".join((out, *filter(None, words)))


def write(statement: recipe.Write) -> str:
    mode = _mode(statement.mode) if statement.mode != 0o644 else ""
    return ", ".join(filter(None, (f"write to {literal(statement.dest)}", _owner(statement.owner), mode)))


def mkdir(statement: recipe.Mkdir) -> str:
    mode = _mode(statement.mode) if statement.mode != 0o755 else ""
    return ", ".join(filter(None, (f"mkdir {texts(statement.paths)}", _owner(statement.owner), mode)))


def remove(statement: recipe.Remove) -> str:
    return f"remove {texts(statement.paths)}" + (", optional=true" if statement.optional else "")


def symlink(statement: recipe.Symlink) -> str:
    out = f"symlink {literal(statement.to)} to {literal(statement.link)}"
    return ", ".join(filter(None, (out, _owner(statement.owner))))


def healthcheck(statement: recipe.Healthcheck) -> str:
    if statement.args is None:
        return 'healthcheck "none"'
    words = [f"healthcheck {listed(statement.args)}"]
    for name in ("interval", "timeout", "start_period", "start_interval"):
        value = getattr(statement, name)
        words += [f"{name}={_duration(value)}"] if value is not None else []
    words += [f"retries={statement.retries}"] if statement.retries is not None else []
    return ", ".join(words)


def expose(ports: Iterable[str]) -> str:
    shown = (port.removesuffix("/tcp") if port.endswith("/tcp") else literal(port) for port in ports)
    return "expose " + ", ".join(shown)


def named(state: State) -> str:
    """Return the name of a state for history and progress; "" for a directory.

    It contains no path of this machine: images must be the same wherever they are built.
    """
    while isinstance(state, recipe.Start):
        state = state.base
    return _STATES[type(state)](state)


def _duration(nanoseconds: int) -> str:
    for unit, size in (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)):
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{nanoseconds // 1_000_000}ms" if nanoseconds else "0s"


def _owner(owner: str) -> str:
    return f"owner={literal(owner)}" if owner != "0:0" else ""


def _mode(mode: int | str | None) -> str:
    if mode is None:
        return ""
    return f"mode={literal(mode) if isinstance(mode, str) else f'0o{mode:o}'}"


_STATES: Mapping[type[State], Callable[[Any], str]] = {
    recipe.Scratch: lambda state: "scratch",
    recipe.Image: lambda state: literal(state.ref),
    recipe.Directory: lambda state: "",
    recipe.Git: lambda state: f"git({literal(state.url)})",
    recipe.Http: lambda state: f"http({literal(state.url)})",
    recipe.Layout: lambda state: "oci(…)",
    recipe.Host: lambda state: f"host({listed(state.commands)})",
    recipe.Dockerfile: lambda state: "dockerfile(…)",
    recipe.Frontend: lambda state: f"frontend({literal(state.ref)})",
    recipe.Files: lambda state: state.name,
    recipe.Mounted: lambda state: f"{state.step.body.title} {literal(state.at)}",
    recipe.Merge: lambda state: "merge(…)",
    recipe.Diff: lambda state: "diff(…)",
    recipe.Built: lambda state: state.body.title,
    recipe.Step: lambda state: state.body.title,
}
