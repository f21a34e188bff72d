"""Include and exclude patterns of a copy, in moby/patternmatcher's syntax and relative to the copied directory."""

from __future__ import annotations

import os
import stat

from pybuild.lang.dockerfile.ignore import Matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.compiler.ops import Copy
    from pybuild.lang.dockerfile.ignore import State
    from pybuild.runtime.snapshots.types import Node, Tree


class Below:
    """The patterns applied to one directory. An entry is kept if it matches an include pattern, if there are any, and
    no exclude pattern. Entries below a directory that is not kept may be kept."""

    __slots__ = ("_exclude", "_include")

    def __init__(self, include: State | None, exclude: State | None) -> None:
        self._include = include
        self._exclude = exclude

    def keeps(self, name: bytes) -> bool:
        """Report whether an entry of this directory is copied."""
        text = os.fsdecode(name)
        if self._include is not None and not self._include.ignores(text):
            return False
        return self._exclude is None or not self._exclude.ignores(text)

    def enter(self, name: bytes) -> Below:
        """Return the patterns for a directory in this one."""
        text = os.fsdecode(name)
        return Below(
            self._include and self._include.enter(text),
            self._exclude and self._exclude.enter(text),
        )

    @property
    def nothing(self) -> bool:
        """True if no entry below can be kept, so that the directory need not be read."""
        if self._include is not None and self._include.unmatched:
            return True
        return self._exclude is not None and self._exclude.prunable


def filtered(action: Copy) -> Below | None:
    """Return the patterns for the directory that `action` copies, None if it has none. Raises PatternError."""
    if not action.include_patterns and not action.exclude_patterns:
        return None
    return Below(
        Matcher(action.include_patterns).root() if action.include_patterns else None,
        Matcher(action.exclude_patterns).root() if action.exclude_patterns else None,
    )


def keeper(action: Copy) -> Callable[[Tree, bytes], Iterator[Node]] | None:
    """Return a function like `Tree.walk` that yields the entries below a directory that `action` copies: kept ones
    and the directories that lead to them. None if the action has no patterns."""
    root = filtered(action)
    return None if root is None else lambda tree, path: _kept(tree, path, root)


def _kept(tree: Tree, path: bytes, root: Below) -> Iterator[Node]:
    pending: list[Node] = []  # directories on the way, yielded with the first kept entry below them
    stack: list[tuple[Node | None, Below, Iterator[Node]]] = [(None, root, iter(tree.list(path)))]
    while stack:
        directory, below, nodes = stack[-1]
        for node in nodes:
            name = node.path[node.path.rfind(b"/") + 1 :]
            within = below.enter(name) if stat.S_ISDIR(node.stat.st_mode) else None
            if below.keeps(name):
                yield from pending
                pending.clear()
                yield node
            elif within is None or within.nothing:
                continue
            else:
                pending.append(node)
            if within is not None:
                stack.append((node, within, iter(tree.list(node.path))))
                break
        else:
            stack.pop()
            if pending and pending[-1] is directory:
                pending.pop()
