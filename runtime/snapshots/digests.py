"""Digests of file system content: of selected paths of a state, and of a snapshot's diff.

Both cover types, permissions, owners, extended attributes, link targets, device numbers and bytes; neither covers
times, sizes of directories or places on the disk. Records are length-prefixed, so that no two contents give the
same bytes to hash. Raise VERSION when these bytes change."""

from __future__ import annotations

import os
import stat
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pybuild.runtime.snapshots.types import Change, Node, Tree

VERSION = 1


def selected_digest(
    tree: Tree,
    path: bytes,
    *,
    follow: bool = True,
    name: bytes | None = None,
    below: Callable[[Tree, bytes], Iterable[Node]] | None = None,
) -> str:
    """The digest (`sha256:…`) of the entry that `path` leads to and of everything below it.

    Paths of entries below are relative to the entry. Its own name is part of the digest as `name`, if the caller's
    use of it depends on the name. Every symlink followed on the way is part of it by path and target; with `follow`
    false a symlink at the end is the entry itself. An absent entry has a digest too. `below` lists the entries that
    count below a directory, by its resolved path; all by default. Raises what `tree.resolve` raises."""
    resolution = tree.resolve(path, follow_last=follow)
    value = sha256(b"pybuild-content-%d\0" % VERSION)
    for link in resolution.links:
        value.update(_joined(b"through", link.path, link.readlink()))
    value.update(_joined(b"name", b"" if name is None else b"=" + name))
    if resolution.node is None:
        value.update(_joined(b"absent"))
        return "sha256:" + value.hexdigest()
    value.update(_joined(b"entry", b"", *_described(resolution.node, tree.file_digest)))
    if stat.S_ISDIR(resolution.node.stat.st_mode):
        start = len(resolution.path) + 1 if resolution.path else 0
        for node in tree.walk(resolution.path) if below is None else below(tree, resolution.path):
            value.update(_joined(b"entry", node.path[start:], *_described(node, tree.file_digest)))
    return "sha256:" + value.hexdigest()


def empty_identity() -> str:
    """The identity of the empty root."""
    return "sha256:" + sha256(b"pybuild-snapshot-%d\0" % VERSION).hexdigest()


def diff_identity(parent: str, root: Node, changes: Iterable[Change]) -> str:
    """The identity of a state: the digest of its parent's identity `parent`, its root directory `root` and its
    `changes` against the parent.

    Hard links among the files of the diff are part of it, as the path that comes first; links to files outside of
    the diff are not."""
    value = sha256(b"pybuild-diff-%d\0" % VERSION)
    value.update(_joined(b"parent", parent.encode(), *_described(root)))
    first: dict[tuple[int, int], bytes] = {}
    for change in changes:
        node = change.node
        if node is None:
            value.update(_joined(change.kind.encode(), change.path))
            continue
        status = node.stat
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            inode = (status.st_dev, status.st_ino)
            earlier = first.setdefault(inode, change.path)
            if earlier is not change.path:
                value.update(_joined(b"link", change.path, earlier))
                continue
        value.update(_joined(change.kind.encode(), change.path, *_described(node)))
    return "sha256:" + value.hexdigest()


def _described(node: Node, digest: Callable[[Node], bytes] | None = None) -> list[bytes]:
    """The fields of an entry that are part of a digest, except its name. `digest` may know a file's."""
    status = node.stat
    mode = status.st_mode
    content = b""
    if stat.S_ISREG(mode):
        content = node.digest() if digest is None else digest(node)
    elif stat.S_ISLNK(mode):
        content = node.readlink()
    elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        content = b"%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))
    fields = [b"%o %d %d" % (mode, status.st_uid, status.st_gid), content]
    for name, data in node.attributes():
        fields += (name.encode("utf-8", "surrogateescape"), data)
    return fields


def _joined(*fields: bytes) -> bytes:
    """A record: the number of fields, then each with its length before it."""
    out = [b"%d" % len(fields)]
    for field in fields:
        out += (b"%d:" % len(field), field)
    return b"".join(out)
