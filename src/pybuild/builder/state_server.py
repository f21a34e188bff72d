"""Reads files of states for a program, inside the namespaces, so that owners are those that steps see."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial

from pybuild.builder.errors import plain_error
from pybuild.builder.states import snapshot_of
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pybuild.build.channel import Channel
    from pybuild.runtime.snapshots.types import Node, Tree

IDLE = 10.0
"""Seconds without a question after which the worker ends, so that it doesn't hold the store."""
CHUNK = 1 << 20
ENTRIES = 1000

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def serve(channel: Channel) -> None:
    """Answer questions `(kind, state, path)`, each with any number of `("part", …)` and then `("end",)`, `("os",
    errno)` or `("failed", error)`, until none comes for IDLE seconds."""
    from pybuild.runtime.content.place import default_root
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.indexes import open_indexes
    from pybuild.runtime.sandbox import namespaces
    from pybuild.runtime.sandbox.errors import SandboxError
    from pybuild.runtime.snapshots.choose import choose
    from pybuild.runtime.snapshots.removal import remove_tree

    root = default_root()
    try:
        namespaces.enter(root)
        entered = True
    except SandboxError:
        entered = False
    with Store.open(root) as store:
        snapshotter = choose(store, open_indexes) if entered else open_indexes(store)
        while channel.readable(IDLE):
            try:
                kind, state, path = channel.receive()
            except EOFError:
                break
            try:
                tree = snapshotter.tree(snapshot_of(state, store))
                for part in _QUESTIONS[kind](tree, path):
                    channel.send(("part", part))
                channel.send(("end",))
            except Exception as error:
                code = isinstance(error, OSError) and error.errno
                channel.send(("os", code) if code else ("failed", plain_error(error)))
        snapshotter.close()
        store.clear(remove_tree)


def _node_at(tree: Tree, path: str) -> Node:
    """Return the node at `path`; links are followed inside the state. Raises OSError, UserError for a loop of
    links."""
    node = look_up(tree, os.fsencode(path)).node
    if node is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return node


def _content(tree: Tree, path: str) -> Iterator[bytes]:
    node = _node_at(tree, path)
    if not stat.S_ISREG(node.stat.st_mode):
        code = errno.EISDIR if stat.S_ISDIR(node.stat.st_mode) else errno.EINVAL
        raise OSError(code, os.strerror(code))
    with node.content() as file:
        yield from iter(partial(file.read, CHUNK), b"")


def _entries(tree: Tree, path: str) -> Iterator[list[tuple[Any, ...]]]:
    top = _node_at(tree, path)
    if not stat.S_ISDIR(top.stat.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    batch = []
    for node in tree.walk(top.path):
        batch.append(_entry_row(node))
        if len(batch) == ENTRIES:
            yield batch
            batch = []
    yield batch


def _entry_row(node: Node) -> tuple[Any, ...]:
    status = node.stat
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    link = os.fsdecode(node.readlink()) if kind == "symlink" else ""
    size = status.st_size if kind in ("file", "symlink") else 0
    mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
    return "/" + os.fsdecode(node.path), kind, mode, *owner, size, link, status.st_mtime_ns


_QUESTIONS: dict[str, Callable[[Tree, str], Iterator[Any]]] = {"read": _content, "walk": _entries}
