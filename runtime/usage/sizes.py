"""The space that directories take on the disk."""

from __future__ import annotations

import os
import stat

BLOCK = 512
"""Bytes in a unit of `st_blocks`, whatever the file system's block size (stat(2))."""


def tree_size(directory: str, *, linked: bool = False) -> int:
    """The bytes that a directory takes on the disk with everything in it; 0 if it does not exist. A file with
    several names counts once. With `linked`, a file that has names outside of the directory too counts there, not
    here."""
    try:
        size = os.lstat(directory).st_blocks
    except FileNotFoundError:
        return 0
    # By inode: names in this directory, names in all, blocks.
    names: dict[tuple[int, int], tuple[int, int, int]] = {}
    waiting = [directory]
    while waiting:
        for entry in _entries(waiting.pop()):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)
            elif status.st_nlink > 1:
                inode = (status.st_dev, status.st_ino)
                names[inode] = (names.get(inode, (0, 0, 0))[0] + 1, status.st_nlink, status.st_blocks)
                continue
            size += status.st_blocks
    size += sum(blocks for here, links, blocks in names.values() if not linked or here >= links)
    return size * BLOCK


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []  # removed meanwhile by another process
