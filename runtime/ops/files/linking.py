"""When a copy between snapshots may be a hard link.

Both sides are committed and never written again, and owner, mode, times and attributes stay the same. Within one
mounted chain no inode may get two names that the build did not link itself, else `tar`, `cp -a` or `rsync -H` in
a step would take them for one file. So a file is linked only if it has no other name anywhere (`st_nlink` 1) and
its own layer is not in the target's chain, or if the target's chain is empty; and each inode once an op. Merges
bring snapshots into one chain that were made apart: `snapshots/hardlinks.py`.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.snapshots.types import Node

_REFUSED = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP})


class Linking:
    """Decides for one snapshot being made. `chain` holds the layer directories of its parents; `used` the
    inodes (device, number) that the op has linked already, which is added to. `possible` is false for
    snapshotters whose files are written in place, and for sources outside the store."""

    __slots__ = ("_chain", "_last", "_layers", "_used", "possible", "sources")

    def __init__(
        self,
        chain: Sequence[bytes],
        used: set[tuple[int, int]],
        *,
        possible: bool,
        layers: Sequence[bytes] = (),
    ) -> None:
        """`layers` are the source's layer directories; those linked from are in `sources`."""
        self._chain = tuple(directory.rstrip(b"/") + b"/" for directory in chain)
        self._used = used
        self._layers = layers
        self._last = b"\0"
        self.possible = possible
        self.sources: set[bytes] = set()

    def link(self, node: Node, target: bytes) -> bool:
        """Link `target` to the file if that is allowed; whether it was done."""
        found = node.stat
        if self._chain and (found.st_nlink > 1 or node.real.startswith(self._chain)):
            return False
        inode = (found.st_dev, found.st_ino)
        if inode in self._used:
            return False
        try:
            os.link(node.real, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _REFUSED:
                return False
            raise
        self._used.add(inode)
        if not node.real.startswith(self._last):
            self._note(node.real)
        return True

    def _note(self, real: bytes) -> None:
        for layer in self._layers:
            if real.startswith(layer + b"/"):
                self.sources.add(layer)
                self._last = layer + b"/"
