"""Digests of file system content: of selected paths of a state, and of a snapshot's diff.

Both count types, permissions, owners, extended attributes, link targets, device numbers and bytes; neither
counts times, sizes of directories or where something lies on disk. Records are length-prefixed, so no two
contents write the same bytes. VERSION is raised whenever what is written changes."""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256

from pybuild.runtime.snapshots.tree import file_digest
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.runtime.snapshots.types import Change, Tree

VERSION = 1

OVERLAY_PREFIXES = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")
"""Attributes that belong to an overlay's own book-keeping."""


def is_content_attribute(name: str) -> bool:
    """Whether an extended attribute is content of a state: file capabilities and `user.*`, without an
    overlay's own. What a copy, a layer or a digest carries is decided here alone."""
    if name.startswith("user."):
        return not name.startswith(OVERLAY_PREFIXES)
    return name == "security.capability"


def attributes(real: bytes) -> list[tuple[str, bytes]]:
    """The content attributes of an entry, ordered by name."""
    try:
        names = os.listxattr(real, follow_symlinks=False)
    except OSError as failure:
        if failure.errno != errno.ENOTSUP:
            raise
        return []
    return [
        (name, os.getxattr(real, name, follow_symlinks=False))
        for name in sorted(names)
        if is_content_attribute(name)
    ]


def selected_digest(
    tree: Tree,
    path: bytes,
    *,
    follow: bool = True,
    name: bytes | None = None,
    below: Callable[[Tree, bytes], Iterable[Node]] | None = None,
) -> str:
    """`sha256:…` of the entry that `path` leads to and of everything below it.

    Names are relative to the entry, which itself counts under `name` where the caller's use of it depends on
    its name. Every symlink walked on the way counts by path and target; with `follow` false the last one is
    the entry. Something absent has a digest too. `below` gives the entries that count below the resolved path of
    a directory, by default all. Raises what `tree.resolve` raises."""
    found = tree.resolve(path, follow_last=follow)
    value = sha256(b"pybuild-content-%d\0" % VERSION)
    for link in found.links:
        value.update(_joined(b"through", link.path, os.readlink(link.real)))
    value.update(_joined(b"name", b"" if name is None else b"=" + name))
    if found.node is None:
        value.update(_joined(b"absent"))
        return "sha256:" + value.hexdigest()
    value.update(_joined(b"entry", b"", *_described(found.node, tree.file_digest)))
    if stat.S_ISDIR(found.node.stat.st_mode):
        start = len(found.path) + 1 if found.path else 0
        for node in tree.walk(found.path) if below is None else below(tree, found.path):
            value.update(_joined(b"entry", node.path[start:], *_described(node, tree.file_digest)))
    return "sha256:" + value.hexdigest()


def empty_identity() -> str:
    """The identity of the empty root."""
    return "sha256:" + sha256(b"pybuild-snapshot-%d\0" % VERSION).hexdigest()


def diff_identity(parent: str, root: Node, changes: Iterable[Change]) -> str:
    """The identity of the state that `changes` make of the one whose identity is `parent`.

    `root` is the root directory of the state. Files of the diff linked to each other count as linked, by the
    path that comes first; links to files outside the diff do not count."""
    value = sha256(b"pybuild-diff-%d\0" % VERSION)
    value.update(_joined(b"parent", parent.encode(), *_described(root, _digest)))
    first: dict[tuple[int, int], bytes] = {}
    for change in changes:
        found, real = change.stat, change.real
        if found is None or real is None:
            value.update(_joined(change.kind.encode(), change.path))
            continue
        if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
            inode = (found.st_dev, found.st_ino)
            earlier = first.setdefault(inode, change.path)
            if earlier is not change.path:
                value.update(_joined(b"link", change.path, earlier))
                continue
        node = Node(change.path, real, found)
        value.update(_joined(change.kind.encode(), change.path, *_described(node, _digest)))
    return "sha256:" + value.hexdigest()


def _digest(node: Node) -> bytes:
    return file_digest(node.real, node.stat)


def _described(node: Node, digest: Callable[[Node], bytes]) -> list[bytes]:
    """All of an entry that counts, but its name."""
    found = node.stat
    mode = found.st_mode
    content = b""
    if stat.S_ISREG(mode):
        content = digest(node)
    elif stat.S_ISLNK(mode):
        content = os.readlink(node.real)
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        content = b"%d:%d" % (os.major(found.st_rdev), os.minor(found.st_rdev))
    out = [b"%o %d %d" % (mode, found.st_uid, found.st_gid), content]
    for name, data in attributes(node.real):
        out += (name.encode("utf-8", "surrogateescape"), data)
    return out


def _joined(*fields: bytes) -> bytes:
    out = [b"%d" % len(fields)]
    for field in fields:
        out += (b"%d:" % len(field), field)
    return b"".join(out)
