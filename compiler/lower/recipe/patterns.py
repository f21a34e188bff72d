r"""Sources of copies as patterns: `*`, `?`, `[…]` and `**`, a backslash makes the next character plain."""

from __future__ import annotations

from pybuild.lang.dockerfile.wildcard import has_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DOUBLESTAR = "**"


def split(path: str) -> tuple[str, str]:
    """The part of a path before its first component with a wildcard, and the rest; "" for either that is empty."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if has_wildcard(part):
            return "/".join(parts[:number]), "/".join(parts[number:])
    return path, ""


def before_doublestar(path: str) -> str:
    """The part of a path that its components before a `**` name; all of a path without one."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if DOUBLESTAR in part:
            return "/".join(parts[:number]) or "/"
    return path


def included(pattern: str) -> str:
    r"""A pattern for paths as a pattern of an include or exclude list: there a leading `!` makes an exception and
    white space around is dropped."""
    if pattern[:1] == "!":
        return "\\" + pattern
    if pattern[:1].isspace():
        pattern = f"[{pattern[0]}]{pattern[1:]}"
    return f"{pattern[:-1]}[{pattern[-1]}]" if pattern[-1:].isspace() else pattern


def below(prefix: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """Patterns of a list, relative to `prefix`, as patterns from the root."""
    prefix = prefix.strip("/")
    if not prefix:
        return tuple(patterns)
    out = []
    for pattern in patterns:
        mark = "!" if pattern.startswith("!") else ""
        out.append(f"{mark}{prefix}/{pattern.removeprefix('!').lstrip('/')}")
    return tuple(out)
