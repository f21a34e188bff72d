"""Flatten the oldest layers of a long chain into one directory, so that the rest can be mounted over it.

The kernel takes a limited number of lower directories. A longer chain is mounted as the flattened state of an
ancestor with the later layers on top. Ancestors are chosen at multiples of BLOCK, so that a chain that grows layer
by layer is flattened once in BLOCK steps, each time on top of the last flattened state. The files are hard links
into the layers they come from. Those layers are not mounted beside them, so no file appears under a second name.
"""

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
    """Return at most `limit` (> BLOCK) directories, top first, that merge to the state of `chain` (oldest
    first)."""
    if len(chain) <= limit:
        return topmost(snapshots.files(snapshot) for snapshot in reversed(chain))
    # The smallest multiple of BLOCK that leaves room for the flattened directory itself.
    cut = -(-(len(chain) - limit + 1) // BLOCK) * BLOCK
    base = b""
    for end in range(BLOCK, cut + 1, BLOCK):
        base = _flat(snapshots, chain[:end], base, opaque)
    return [*topmost(snapshots.files(snapshot) for snapshot in reversed(chain[cut:])), base]


def _flat(snapshots: CommittedSnapshots, chain: Sequence[int], base: bytes, opaque: str) -> bytes:
    """Return the directory with the whole state of `chain`, made if missing. `base` is the state BLOCK layers
    earlier, empty for the first block.

    It is kept beside its last snapshot under the name of this boot. A later boot makes it again, as it is never
    synced.
    """
    home = snapshots.directory(chain[-1])
    name = b"flat-" + snapshots.store.boot.encode()
    target = home + b"/" + name
    if os.path.isdir(target):
        return target
    flattened = snapshots.room()
    os.mkdir(flattened)
    layers = topmost(snapshots.files(snapshot) for snapshot in reversed(chain[-BLOCK:]))
    copy_tree(LayeredTree([*layers, base] if base else layers, opaque), flattened, link=True)
    if not os.path.isdir(home):
        _make_home(home)
    try:
        os.rename(flattened, target)
    except OSError as failure:
        if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _remove(flattened)  # another process made the same
    for other in os.listdir(home):
        if other.startswith(b"flat-") and other != name:
            _remove(home + b"/" + other)
    return target


def _make_home(home: bytes) -> None:
    """Make the directory of a snapshot that has none of its own, since it shares the files of another."""
    try:
        os.mkdir(home)
    except FileExistsError:
        pass  # another process was faster


def _remove(directory: bytes) -> None:
    from pybuild.runtime.snapshots.removal import remove_tree

    remove_tree(directory)
