"""Rules for copies between snapshots that may be hard links.

Committed files are never written again, so a copy that keeps owner, mode, times and attributes may share the inode.
But within one mounted chain no inode may get two names that the build did not link itself: `tar`, `cp -a` or
`rsync -H` in a step would take them for one file. So a file is linked only if it has no other name anywhere
(`st_nlink` 1) and its layer is not in the target's chain, or if the target's chain is empty; and each inode at most
once in an op. Merges can bring snapshots into one chain later: `snapshots/hardlinks.py`.
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
    """Links files into one active snapshot. `chain` are the layer directories of its parents; `used` are the inodes
    (device, number) that the op has linked, to which this adds. `possible` is False for snapshotters that write files
    in place, and for sources outside the store."""

    __slots__ = ("_chain", "_last", "_layers", "_used", "possible", "sources")

    def __init__(
        self,
        chain: Sequence[bytes],
        used: set[tuple[int, int]],
        *,
        possible: bool,
        layers: Sequence[bytes] = (),
    ) -> None:
        """`layers` are the source's layer directories; `sources` collects those that files were linked from."""
        self._chain = tuple(directory.rstrip(b"/") + b"/" for directory in chain)
        self._used = used
        self._layers = layers
        self._last = b"\0"
        self.possible = possible
        self.sources: set[bytes] = set()

    def link(self, node: Node, target: bytes) -> bool:
        """Link `target` to the file if the rules allow it; report whether it did."""
        status = node.stat
        if self._chain and (status.st_nlink > 1 or node.real.startswith(self._chain)):
            return False
        inode = (status.st_dev, status.st_ino)
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
        # `_last` spares the search for neighbours: files of one layer mostly come together.
        for layer in self._layers:
            if real.startswith(layer + b"/"):
                self.sources.add(layer)
                self._last = layer + b"/"
