"""Which snapshots may have files in common, by hard links between them.

Whoever links a file of one snapshot into another notes it (`note_links`) in file `linked` beside the other's files:
the numbers of the snapshots linked from, and of those that they had links from. So two snapshots with a common
file have a common number, each counting its own. Where two layers of one chain have a file in common under
different names, programs in a step would take the two for one file (`tar`, `cp -a`, `rsync -H`): `shared_inodes`
finds those.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.runtime.snapshots.committed import CommittedSnapshots

    Inode = tuple[int, int]

NAME = b"linked"


def note_links(room: bytes, layers: Iterable[bytes]) -> None:
    """Note in `room`, the directory of a snapshot that is made, that it has links into the files of `layers`
    (directories `…/NUMBER/fs`). Adds to what is noted already."""
    numbers = set(_noted(room))
    for layer in layers:
        numbers |= kin(layer)
    temporary = room + b"/" + NAME
    with open(temporary, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, sorted(numbers))))


def kin(layer: bytes) -> frozenset[int]:
    """The number of the snapshot whose files are `layer`, and those noted with it."""
    directory = os.path.dirname(layer)
    return _noted(directory) | {int(os.path.basename(directory))}


def related(layer: bytes, others: Iterable[bytes]) -> list[bytes]:
    """Those of `others` that may have files in common with `layer`, itself excluded."""
    mine = kin(layer)
    return [other for other in others if other != layer and not mine.isdisjoint(kin(other))]


def shared_inodes(snapshots: CommittedSnapshots, origin: int, parent: int | None) -> set[Inode]:
    """The files of `origin` that would be in a chain under another name too, if it were laid over `parent`."""
    layer = snapshots.files(origin)
    others = related(layer, {snapshots.files(each) for each in snapshots.chain(parent)})
    if not others:
        return set()
    mine = _names(layer)
    shared: set[Inode] = set()
    for other in others:
        for inode, names in _names(other).items():
            if inode in mine and not names <= mine[inode]:
                shared.add(inode)
    return shared


def _names(layer: bytes) -> dict[Inode, set[bytes]]:
    """The paths of each file of a layer that has a second name somewhere."""
    names: dict[Inode, set[bytes]] = {}
    start = len(layer) + 1
    pending = [layer]
    while pending:
        with os.scandir(pending.pop()) as scan:
            for entry in scan:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    pending.append(entry.path)
                elif found.st_nlink > 1:
                    names.setdefault((found.st_dev, found.st_ino), set()).add(entry.path[start:])
    return names


def _noted(directory: bytes) -> frozenset[int]:
    try:
        with open(directory + b"/" + NAME, encoding="ascii") as file:
            return frozenset(map(int, file.read().split()))
    except FileNotFoundError:
        return frozenset()
