r"""Paths and patterns of what is copied from a context, a stage or a state.

In a pattern a backslash makes the next character plain; a path without `*`, `?` and `[` that aren't is literal.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

_ESCAPED = re.compile(r"(?s)\\(.)")


def used_path(source: str) -> str:
    """A source path of a copy as a path from the root that it is taken from."""
    path = posixpath.normpath("/" + source)
    return path[1:] if path.startswith("//") else path


def follow_paths(paths: Iterable[str]) -> list[str]:
    """The paths to read of a local directory, relative to it; none means all of it."""
    wanted = set(paths)
    if "/" in wanted:
        return []
    return sorted(path.lstrip("/") for path in wanted)


def unescaped(path: str) -> str:
    """The path that a literal one means: without its backslashes."""
    return _ESCAPED.sub(r"\1", path)


def bracketed(path: str) -> str:
    """An absolute path as a pattern that begins with its first name, which matches the same: directories before a
    pattern must exist, those that it names needn't."""
    first, slash, rest = path[1:].partition("/")
    start, last = first[:-1].removesuffix("\\"), first[-1]
    escaped = f"{start}[{last}]" if last.isalnum() else f"{start}[\\{last}]"
    return f"/{escaped}{slash}{rest}"
