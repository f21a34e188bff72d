"""Exclude and include patterns of a local source.

Both have .dockerignore's syntax (`lang.dockerfile.ignore`). An included directory is included with all its entries;
of another directory only those that lead to an included entry are.
"""

from __future__ import annotations

import os
import re
import stat

from pybuild.lang.dockerfile.ignore import Matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pybuild.runtime.snapshots.types import Node

    class Directory(Protocol):
        """The state of a matcher in one directory; see `lang.dockerfile.ignore.State`."""

        @property
        def ignored(self) -> bool: ...

        @property
        def exceptions_below(self) -> bool: ...

        def ignores(self, name: str) -> bool: ...

        def enter(self, name: str) -> Directory: ...

    class LeftOut(Protocol):
        """A matcher of the entries to leave out. Not thread-safe."""

        def root(self) -> Directory: ...


class Judgement:
    """The answers of a matcher for the paths of one tree. Not thread-safe."""

    def __init__(self, matcher: LeftOut) -> None:
        self._states: dict[bytes, Directory] = {b"": matcher.root()}

    def at(self, path: bytes) -> Directory:
        """Return the state in a directory."""
        unknown = []
        while path not in self._states:
            unknown.append(path)
            path = path.rpartition(b"/")[0]
        state = self._states[path]
        for each in reversed(unknown):
            state = self._states[each] = state.enter(os.fsdecode(each[each.rfind(b"/") + 1 :]))
        return state

    def ignores(self, path: bytes) -> bool:
        parent, _, name = path.rpartition(b"/")
        return self.at(parent).ignores(os.fsdecode(name))

    def searches(self, node: Node) -> bool:
        """Report whether an entry is a directory that is ignored unless something below it is not."""
        if not stat.S_ISDIR(node.stat.st_mode):
            return False
        return self.ignores(node.path) and self.at(node.path).exceptions_below


def left_out(excludes: Sequence[str], includes: Sequence[str]) -> LeftOut | None:
    """Return a matcher of everything that `excludes` match, and that no pattern of `includes` matches, if there are
    any. None if it would match nothing. Raises PatternError."""
    excluded = Matcher(excludes) if excludes else None
    if not includes:
        return excluded
    others = Matcher(["**", *map(_inverted, includes)])
    return others if excluded is None else _Either(excluded, others)


def pattern_of(path: str, root: bytes) -> list[str]:
    """Return a pattern for `path` if it lies in the directory `root`, else an empty list."""
    real, top = os.path.realpath(path), os.path.join(os.path.realpath(os.fsdecode(root)), "")
    return [re.sub(r"([\\*?\[!])", r"\\\1", real[len(top) :])] if real.startswith(top) else []


def _inverted(pattern: str) -> str:
    return pattern[1:] if pattern.startswith("!") else f"!{pattern}"


class _Either:
    """A matcher of the union of two matchers."""

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
        return all(not side.ignored or side.exceptions_below for side in (self._first, self._second))

    def ignores(self, name: str) -> bool:
        return self._first.ignores(name) or self._second.ignores(name)

    def enter(self, name: str) -> Directory:
        return _EitherDirectory(self._first.enter(name), self._second.enter(name))
