"""Include and exclude patterns of a copy: moby/patternmatcher's, matched from the copied directory on."""

from __future__ import annotations

import os

from pybuild.lang.dockerfile.ignore import Matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import Copy
    from pybuild.lang.dockerfile.ignore import State


class Below:
    """What the patterns say about entries of one directory: those that match an include pattern, if there are
    any, and no exclude pattern. A directory is asked for by itself: below one left out, entries may be kept."""

    __slots__ = ("_exclude", "_include")

    def __init__(self, include: State | None, exclude: State | None) -> None:
        self._include = include
        self._exclude = exclude

    def keeps(self, name: bytes) -> bool:
        text = os.fsdecode(name)
        if self._include is not None and not self._include.ignores(text):
            return False
        return self._exclude is None or not self._exclude.ignores(text)

    def enter(self, name: bytes) -> Below:
        text = os.fsdecode(name)
        return Below(
            self._include and self._include.enter(text),
            self._exclude and self._exclude.enter(text),
        )

    @property
    def nothing(self) -> bool:
        """Whether nothing at all is kept in here, so that it need not be read."""
        return self._exclude is not None and self._exclude.prunable


def filtered(action: Copy) -> Below | None:
    """For the directory that `action` copies; None when it has no patterns. Raises PatternError."""
    if not action.include_patterns and not action.exclude_patterns:
        return None
    return Below(
        Matcher(action.include_patterns).root() if action.include_patterns else None,
        Matcher(action.exclude_patterns).root() if action.exclude_patterns else None,
    )


def keeper(action: Copy) -> Callable[[bytes, bool], bool] | None:
    """Whether an entry, by its path from the copied directory and whether it is a directory, counts in a
    digest of what is copied. Directories count that may hold something kept."""
    root = filtered(action)
    if root is None:
        return None
    known = {b"": root}

    def below(path: bytes) -> Below:
        found = known.get(path)
        if found is None:
            parent, _, name = path.rpartition(b"/")
            found = known[path] = below(parent).enter(name)
        return found

    def keep(path: bytes, directory: bool) -> bool:
        if directory:
            return not below(path).nothing
        parent, _, name = path.rpartition(b"/")
        return below(parent).keeps(name)

    return keep
