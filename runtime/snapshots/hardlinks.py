"""Hard links between the files of different snapshots.

Code that links files of one snapshot into another notes it by `note_links`, in file `linked` beside the other's
files: the numbers of the snapshots linked from, and the numbers noted with those. So two snapshots with a common
file have a common number, if each counts its own.

Where two layers of a chain have one file under different names, programs in a step would see hard links that the
build never made (`tar`, `cp -a` and `rsync -H` go by the inode). `shared_inodes` finds such files before the layers
are stacked.
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
"""File of a snapshot: numbers of the snapshots its files may be links into, in decimal, by spaces."""


def note_links(room: bytes, layers: Iterable[bytes]) -> None:
    """Note in `room`, the directory of a snapshot under construction, that it has links into the files of `layers`
    (directories `…/NUMBER/fs`). Adds to the numbers noted before."""
    numbers = set(_noted(room))
    for layer in layers:
        numbers |= link_numbers(layer)
    temporary = room + b"/" + NAME
    with open(temporary, "w", encoding="ascii") as file:
        file.write(" ".join(map(str, sorted(numbers))))


def link_numbers(layer: bytes) -> frozenset[int]:
    """The number of the snapshot whose files are `layer`, and the numbers noted with it."""
    directory = os.path.dirname(layer)
    return _noted(directory) | {int(os.path.basename(directory))}


def layers_with_common_files(layer: bytes, others: Iterable[bytes]) -> list[bytes]:
    """The layers among `others` that may have files in common with `layer`, itself excluded."""
    numbers = link_numbers(layer)
    return [other for other in others if other != layer and not numbers.isdisjoint(link_numbers(other))]


def shared_inodes(snapshots: CommittedSnapshots, origin: int, parent: int | None) -> set[Inode]:
    """The files of `origin` that would have a second name elsewhere in the chain if it were laid over `parent`."""
    layer = snapshots.files(origin)
    others = layers_with_common_files(layer, {snapshots.files(each) for each in snapshots.chain(parent)})
    if not others:
        return set()
    own = _names(layer)
    shared: set[Inode] = set()
    for other in others:
        for inode, names in _names(other).items():
            if inode in own and not names <= own[inode]:
                shared.add(inode)
    return shared


def _names(layer: bytes) -> dict[Inode, set[bytes]]:
    """The paths in a layer of each file that has more than one name on the disk, by inode."""
    names: dict[Inode, set[bytes]] = {}
    start = len(layer) + 1
    pending = [layer]
    while pending:
        with os.scandir(pending.pop()) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)
                elif status.st_nlink > 1:
                    names.setdefault((status.st_dev, status.st_ino), set()).add(entry.path[start:])
    return names


def _noted(directory: bytes) -> frozenset[int]:
    try:
        with open(directory + b"/" + NAME, encoding="ascii") as file:
            return frozenset(map(int, file.read().split()))
    except FileNotFoundError:
        return frozenset()
