"""The command line of buildkitd, as Go's flag packages read it: `--flag value`, `--flag=value`, `-flag`."""

from __future__ import annotations

from pybuild.daemon.flags import FLAGS, IGNORED, MANY, MAYBE, NUMBER, SHORT, SWITCH, TEXT, Flag
from pybuild.lang.diagnostics import UsageError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    FlagValues = dict[str, str | bool | int | list[str]]

TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
AUTO = ("auto", "Auto", "AUTO", "")
_HELP = "see pybuild serve --help"


def parse(words: Sequence[str]) -> FlagValues:
    """Return the given flags by name: lists for those of `MANY`, booleans for switches, booleans or "auto" for
    `MAYBE`. Raises UsageError for an unknown flag, a bad value, an argument, and what this daemon doesn't
    support."""
    flags: FlagValues = {}
    remaining = list(words)
    while remaining:
        word = remaining.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        name = SHORT.get(name, name)
        if not word.startswith("-") or not name:
            raise UsageError(
                f"unexpected argument {word!r}", help="pybuild serve takes flags alone; " + _HELP
            )
        flag = _flag(name)
        if not equals:
            value = _next(name, flag, remaining)
        _store(flags, name, flag, value)
    return flags


def help_text() -> str:
    """Return the help: a line for each flag."""
    shown = [
        (f"--{name} {flag.value}" if flag.kind not in (SWITCH,) else f"--{name}", flag)
        for name, flag in FLAGS.items()
    ]
    width = max(len(text) for text, _ in shown)
    lines = [f"  {text:<{width}}  {flag.help}" for text, flag in shown if not flag.refused]
    return "\n".join(
        (
            "Usage: pybuild serve [FLAG…]   (pybuild buildkitd, and a link named buildkitd, are the same)",
            "",
            "Serve BuildKit's clients: docker buildx (driver remote), buildctl, … The flags are buildkitd's.",
            "",
            *lines,
            "",
        )
    )


def _flag(name: str) -> Flag:
    if name in FLAGS:
        return FLAGS[name]
    if name in IGNORED:
        return Flag(SWITCH if name.endswith(("-gc", "-rootless", "-selinux")) else TEXT, "")
    near = suggest(name, FLAGS)
    raise UsageError(f"no such flag: --{name}", help=f"did you mean --{near}?" if near else _HELP)


def _next(name: str, flag: Flag, remaining: list[str]) -> str:
    """Return the value of a flag that stands without `=`."""
    if flag.kind == SWITCH:
        return "true"
    if flag.kind == MAYBE:
        is_value = remaining and (remaining[0] in TRUE or remaining[0] in FALSE or remaining[0] in AUTO)
        return remaining.pop(0) if is_value else "true"
    if not remaining:
        raise UsageError(f"--{name} needs a value", help=_HELP)
    return remaining.pop(0)


def _store(flags: FlagValues, name: str, flag: Flag, value: str) -> None:
    if flag.kind == MANY:
        values = flags.setdefault(name, [])
        assert isinstance(values, list)
        values.append(value)
        return
    flags[name] = _value(name, flag.kind, value)
    if flag.refused and flags[name] not in (False, "auto", ""):
        raise UsageError(f"--{name} is not supported: {flag.refused}", help="leave the flag out")


def _value(name: str, kind: str, text: str) -> str | bool | int:
    if kind in (SWITCH, MAYBE):
        if text in TRUE or text in FALSE:
            return text in TRUE
        if kind == MAYBE and text in AUTO:
            return "auto"
        raise UsageError(f"--{name}: {text!r} is neither true nor false", help=_HELP)
    if kind == NUMBER:
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{name}: {text!r} is no number", help=_HELP) from None
    return text
