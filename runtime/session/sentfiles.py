"""Entries of a tree in fsutil's protocol, for `filesend.send_tree`.

They come in the order of a walk: a directory before its entries, names of one directory in byte order.
"""

from __future__ import annotations

import io
import os
import stat

from pybuild.compiler.protos.fspackets_pb2 import Stat
from pybuild.runtime.session.filemodes import KINDS, go_mode, go_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from pybuild.runtime.snapshots.types import Content, Node, Tree


class SentEntry:
    """An entry. `open` opens a regular file's bytes."""

    __slots__ = ("open", "stat")

    def __init__(self, stat: Stat, open: Callable[[], BinaryIO | Content] | None = None) -> None:
        self.stat = stat
        self.open = open

    @property
    def is_file(self) -> bool:
        """True for a regular file whose bytes the receiver may request."""
        return not self.stat.mode & KINDS and self.open is not None


def directory_entry(path: bytes, mtime: int, mode: int = 0o755) -> SentEntry:
    """Return the entry of a directory that is in no tree; `mtime` is in nanoseconds."""
    return SentEntry(Stat(path=path, mode=go_mode(stat.S_IFDIR | mode), modTime=go_time(mtime)))


def file_entry(path: bytes, data: bytes, mtime: int, mode: int = 0o644) -> SentEntry:
    """Return the entry of a file that is in no tree; `mtime` is in nanoseconds."""
    packet = Stat(path=path, mode=go_mode(stat.S_IFREG | mode), size=len(data), modTime=go_time(mtime))
    return SentEntry(packet, lambda: io.BytesIO(data))


def tree_entries(tree: Tree, prefix: bytes = b"", mtime: int | None = None) -> Iterator[SentEntry]:
    """Yield all entries of a tree except sockets, with paths below `prefix`, which itself is not yielded. `mtime`, in
    nanoseconds, replaces the entries' own times. A second name of a file becomes a hard link to the first."""
    first: dict[tuple[int, int], bytes] = {}
    for node in tree.walk(b""):
        if stat.S_ISSOCK(node.stat.st_mode):
            continue
        yield _entry(node, os.path.join(prefix, node.path), first, mtime)


def _entry(node: Node, path: bytes, first: dict[tuple[int, int], bytes], mtime: int | None) -> SentEntry:
    status = node.stat
    mode = status.st_mode
    packet = Stat(
        path=path,
        mode=go_mode(mode),
        uid=status.st_uid,
        gid=status.st_gid,
        modTime=go_time(status.st_mtime_ns if mtime is None else mtime),
        xattrs=dict(node.attributes()),
    )
    if stat.S_ISLNK(mode):
        packet.linkname = node.readlink()
        packet.size = len(packet.linkname)
    elif stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        packet.devmajor, packet.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    elif stat.S_ISREG(mode):
        earlier = first.setdefault((status.st_dev, status.st_ino), path) if status.st_nlink > 1 else path
        if earlier == path:
            packet.size = status.st_size
            return SentEntry(packet, node.content)
        packet.linkname = earlier
    return SentEntry(packet)
