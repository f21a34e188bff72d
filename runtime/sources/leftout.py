"""What a local source leaves out: what patterns exclude, and what others don't include.

Both kinds are patterns of .dockerignore (see `lang.dockerfile.ignore`). An included directory is included with all
that is in it; of one that isn't, only what leads to something included is there.
"""

from __future__ import annotations

import os
import re

from pybuild.lang.dockerfile.ignore import Matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Directory(Protocol):
        """A directory on the way down; see `lang.dockerfile.ignore.State`."""

        @property
        def ignored(self) -> bool: ...

        @property
        def exceptions_below(self) -> bool: ...

        def ignores(self, name: str) -> bool: ...

        def enter(self, name: str) -> Directory: ...

    class LeftOut(Protocol):
        """Not to be shared by threads."""

        def root(self) -> Directory: ...


def left_out(excludes: Sequence[str], includes: Sequence[str]) -> LeftOut | None:
    """What `excludes` match, and what `includes` don't, if there are any; None if that is nothing. Raises
    `PatternError`."""
    excluded = Matcher(excludes) if excludes else None
    if not includes:
        return excluded
    others = Matcher(["**", *map(_inverted, includes)])
    return others if excluded is None else _Either(excluded, others)


def pattern_of(path: str, root: bytes) -> list[str]:
    """A pattern for what lies at `path`, if that is in the directory `root`."""
    found, top = os.path.realpath(path), os.path.join(os.path.realpath(os.fsdecode(root)), "")
    return [re.sub(r"([\\*?\[!])", r"\\\1", found[len(top) :])] if found.startswith(top) else []


def _inverted(pattern: str) -> str:
    return pattern[1:] if pattern.startswith("!") else f"!{pattern}"


class _Either:
    """What one of two leaves out."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: LeftOut, second: LeftOut) -> None:
        self._first = first
        self._second = second

    def root(self) -> Directory:
        return _EitherDirectory(self._first.root(), self._second.root())


class _EitherDirectory:
    __slots__ = ("_first", "_second")

    def __init__(self, first: Directory, second: Directory) -> None:
        self._first = first
        self._second = second

    @property
    def ignored(self) -> bool:
        return self._first.ignored or self._second.ignored

    @property
    def exceptions_below(self) -> bool:
        return all(not one.ignored or one.exceptions_below for one in (self._first, self._second))

    def ignores(self, name: str) -> bool:
        return self._first.ignores(name) or self._second.ignores(name)

    def enter(self, name: str) -> Directory:
        return _EitherDirectory(self._first.enter(name), self._second.enter(name))
