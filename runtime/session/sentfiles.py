"""Entries of a tree as fsutil's protocol describes them: what `filesend.send_tree` takes.

They come in the order of a walk: a directory before what is in it, names of one directory in byte order.
"""

from __future__ import annotations

import io
import os
import stat

from pybuild.compiler.protos.fspackets_pb2 import Stat
from pybuild.runtime.session.filemodes import KINDS, go_mode
from pybuild.runtime.snapshots.contents import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from pybuild.runtime.snapshots.types import Node, Tree


class SentEntry:
    """One entry. `open` gives the bytes of a regular file."""

    __slots__ = ("open", "stat")

    def __init__(self, stat: Stat, open: Callable[[], BinaryIO] | None = None) -> None:
        self.stat = stat
        self.open = open

    @property
    def is_file(self) -> bool:
        """Whether its bytes may be asked for."""
        return not self.stat.mode & KINDS and self.open is not None


def directory_entry(path: bytes, mtime: int, mode: int = 0o755) -> SentEntry:
    """A directory that no tree has; `mtime` is in nanoseconds."""
    return SentEntry(Stat(path=path, mode=go_mode(stat.S_IFDIR | mode), modTime=mtime))


def file_entry(path: bytes, data: bytes, mtime: int, mode: int = 0o644) -> SentEntry:
    """A file that no tree has."""
    said = Stat(path=path, mode=go_mode(stat.S_IFREG | mode), size=len(data), modTime=mtime)
    return SentEntry(said, lambda: io.BytesIO(data))


def tree_entries(tree: Tree, prefix: bytes = b"", mtime: int | None = None) -> Iterator[SentEntry]:
    """All entries of a tree but sockets, below the directory `prefix` of what is sent, which is not among them.
    `mtime`, in nanoseconds, is each one's time instead of its own. Two names of one file come as a file and a link to
    it."""
    first: dict[tuple[int, int], bytes] = {}
    for node in tree.walk(b""):
        if stat.S_ISSOCK(node.stat.st_mode):
            continue
        yield _entry(node, os.path.join(prefix, node.path), first, mtime)


def _entry(node: Node, path: bytes, first: dict[tuple[int, int], bytes], mtime: int | None) -> SentEntry:
    found = node.stat
    mode = found.st_mode
    said = Stat(
        path=path,
        mode=go_mode(mode),
        uid=found.st_uid,
        gid=found.st_gid,
        modTime=found.st_mtime_ns if mtime is None else mtime,
        xattrs=dict(attributes(node.real)),
    )
    if stat.S_ISLNK(mode):
        said.linkname = os.readlink(node.real)
        said.size = len(said.linkname)
    elif stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        said.devmajor, said.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    elif stat.S_ISREG(mode):
        earlier = first.setdefault((found.st_dev, found.st_ino), path) if found.st_nlink > 1 else path
        if earlier == path:
            said.size = found.st_size
            return SentEntry(said, lambda: open(node.real, "rb"))
        said.linkname = earlier
    return SentEntry(said)
