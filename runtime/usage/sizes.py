"""How much room directories of the store take on the disk."""

from __future__ import annotations

import os
import stat

BLOCK = 512
"""Bytes that `st_blocks` counts in."""


def tree_size(directory: str, *, linked: bool = False) -> int:
    """Bytes on the disk of all that is in a directory, itself included; 0 if it is not there. A file with several
    names counts once. With `linked` one that has names elsewhere too is counted there, and not here."""
    try:
        size = os.lstat(directory).st_blocks
    except FileNotFoundError:
        return 0
    names: dict[tuple[int, int], tuple[int, int, int]] = {}
    waiting = [directory]
    while waiting:
        for entry in _entries(waiting.pop()):
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(found.st_mode):
                waiting.append(entry.path)
            elif found.st_nlink > 1:
                inode = (found.st_dev, found.st_ino)
                names[inode] = (names.get(inode, (0, 0, 0))[0] + 1, found.st_nlink, found.st_blocks)
                continue
            size += found.st_blocks
    size += sum(blocks for here, links, blocks in names.values() if not linked or here >= links)
    return size * BLOCK


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []  # it went while others worked in the store
