"""Long chains: the oldest layers as one directory, so that what is left can be mounted.

The kernel takes a limited number of lower directories. A chain beyond it is mounted as the flattened state of
one of its ancestors, beneath the layers made since. Ancestors are chosen at multiples of BLOCK, so that a
chain that grows by a layer a step flattens once in BLOCK steps, and each flattened state is built on the one
before it. Its files are hard links into the layers they come from, which are then not mounted themselves: no
file is reachable under a second name."""

from __future__ import annotations

import errno
import os

from pybuild.runtime.snapshots.copies import copy_tree
from pybuild.runtime.snapshots.tree import LayeredTree, topmost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.runtime.snapshots.committed import CommittedSnapshots

BLOCK = 128


def mountable(snapshots: CommittedSnapshots, chain: Sequence[int], limit: int, opaque: str) -> list[bytes]:
    """At most `limit` (> BLOCK) directories, top first, that merge to the state of `chain` (oldest first)."""
    if len(chain) <= limit:
        return topmost(snapshots.files(snapshot) for snapshot in reversed(chain))
    cut = -(-(len(chain) - limit + 1) // BLOCK) * BLOCK
    base = b""
    for end in range(BLOCK, cut + 1, BLOCK):
        base = _flat(snapshots, chain[:end], base, opaque)
    return [*topmost(snapshots.files(snapshot) for snapshot in reversed(chain[cut:])), base]


def _flat(snapshots: CommittedSnapshots, chain: Sequence[int], base: bytes, opaque: str) -> bytes:
    """The whole state of `chain`, of which `base` is the state BLOCK layers earlier (empty for the first
    block).

    It is kept beside its last snapshot under the name of this boot: its files are never synced on their own.
    """
    home = snapshots.directory(chain[-1])
    name = b"flat-" + snapshots.store.boot.encode()
    target = home + b"/" + name
    if os.path.isdir(target):
        return target
    made = snapshots.room()
    os.mkdir(made)
    layers = topmost(snapshots.files(snapshot) for snapshot in reversed(chain[-BLOCK:]))
    copy_tree(LayeredTree([*layers, base] if base else layers, opaque), made, link=True)
    if not os.path.isdir(home):
        _make_home(home)
    try:
        os.rename(made, target)
    except OSError as failure:
        if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _remove(made)  # another process made the same
    for other in os.listdir(home):
        if other.startswith(b"flat-") and other != name:
            _remove(home + b"/" + other)
    return target


def _make_home(home: bytes) -> None:
    """The directory of a snapshot that shares the files of another and has none of its own."""
    try:
        os.mkdir(home)
    except FileExistsError:
        pass  # another process was faster


def _remove(directory: bytes) -> None:
    from pybuild.runtime.snapshots.removal import remove_tree

    remove_tree(directory)
