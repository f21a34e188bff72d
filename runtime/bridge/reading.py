"""Reading a solved state for a frontend: BuildKit's `cache/util`, on trees.

Paths are a frontend's: absolute or not, with symlinks and `..`, which never lead outside of the state. What can't be
read is an OSError with the path as it was given: FileNotFoundError, NotADirectoryError. Links in a circle and names
that are too long are `Unresolvable`.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.lang.dockerfile.ignore import State
    from pybuild.runtime.snapshots.types import Node, Tree


def node_at(tree: Tree, path: str) -> Node:
    """Return the entry at `path`, following links."""
    node = look_up(tree, os.fsencode(path)).node
    if node is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return node


def read_file(tree: Tree, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
    """Return at most `limit` bytes of a regular file from `offset` on. Raises IsADirectoryError and, for a
    device or a socket, OSError(EINVAL)."""
    node = node_at(tree, path)
    if not stat.S_ISREG(node.stat.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(node.stat.st_mode) else errno.EINVAL
        raise OSError(code, os.strerror(code), path)
    with node.content() as file:
        file.seek(offset)
        return file.read(-1 if limit is None else limit)


def directory_at(tree: Tree, path: str) -> Node:
    node = node_at(tree, path)
    if not stat.S_ISDIR(node.stat.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return node


def entries(tree: Tree, path: str, include: str = "") -> Sequence[Node]:
    """Return the entries of a directory, sorted by name. With a pattern (of moby/patternmatcher, relative to
    the directory) only those that match, and directories that contain a match. Raises PatternError."""
    nodes = tree.list(directory_at(tree, path).path)
    if not include:
        return nodes
    from pybuild.lang.dockerfile.ignore import Matcher

    root = Matcher([include]).root()
    return [node for node in nodes if _matches(tree, node, root)]


def _matches(tree: Tree, node: Node, within: State) -> bool:
    """Return whether an entry of a directory in the pattern state `within` matches, or anything below it
    does."""
    pending = [(node, within)]
    while pending:
        one, state = pending.pop()
        name = os.fsdecode(one.path.rpartition(b"/")[2])
        if state.ignores(name):
            return True
        if stat.S_ISDIR(one.stat.st_mode) and not (inside := state.enter(name)).unmatched:
            pending += [(below, inside) for below in tree.list(one.path)]
    return False


def link_target(node: Node) -> str:
    """Return the target of a symlink, "" for other entries."""
    return os.fsdecode(node.readlink()) if stat.S_ISLNK(node.stat.st_mode) else ""
