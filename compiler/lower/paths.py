r"""Paths and patterns of sources of copies.

In a pattern a backslash escapes the next character. A path without unescaped `*`, `?` and `[` is literal.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

_ESCAPED = re.compile(r"(?s)\\(.)")


def used_path(source: str) -> str:
    """Return the source path of a copy as an absolute path in its file system."""
    # normpath keeps two leading slashes.
    path = posixpath.normpath("/" + source)
    return path[1:] if path.startswith("//") else path


def follow_paths(paths: Iterable[str]) -> list[str]:
    """Return the paths to read of a local directory, relative to it; an empty list means all of it."""
    wanted = set(paths)
    if "/" in wanted:
        return []
    return sorted(path.lstrip("/") for path in wanted)


def unescaped(path: str) -> str:
    """Return a literal path without its backslashes."""
    return _ESCAPED.sub(r"\1", path)
