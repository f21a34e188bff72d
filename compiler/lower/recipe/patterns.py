r"""Patterns of copies: `*`, `?`, `[…]` and `**`; a backslash escapes the next character."""

from __future__ import annotations

from pybuild.lang.dockerfile.wildcard import has_wildcard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DOUBLESTAR = "**"


def split(path: str) -> tuple[str, str]:
    """Split a path before its first component with a wildcard; either part may be ""."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if has_wildcard(part):
            return "/".join(parts[:number]), "/".join(parts[number:])
    return path, ""


def before_doublestar(path: str) -> str:
    """Return the components of a path before the first `**`; the whole path without one."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if DOUBLESTAR in part:
            return "/".join(parts[:number]) or "/"
    return path


def included(pattern: str) -> str:
    r"""Escape a pattern for an include or exclude list, where a leading `!` marks an exception and white space at the
    ends is dropped."""
    if pattern[:1] == "!":
        return "\\" + pattern
    if pattern[:1].isspace():
        pattern = f"[{pattern[0]}]{pattern[1:]}"
    return f"{pattern[:-1]}[{pattern[-1]}]" if pattern[-1:].isspace() else pattern


def below(prefix: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns that are relative to `prefix` as patterns from the root."""
    prefix = prefix.strip("/")
    if not prefix:
        return tuple(patterns)
    out = []
    for pattern in patterns:
        mark = "!" if pattern.startswith("!") else ""
        out.append(f"{mark}{prefix}/{pattern.removeprefix('!').lstrip('/')}")
    return tuple(out)
