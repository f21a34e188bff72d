"""File modes as Go writes them (`fs.FileMode`), which is how fsutil's `Stat` holds them."""

from __future__ import annotations

import stat

DIRECTORY, SYMLINK, DEVICE, PIPE, SOCKET, CHARACTER = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24, 1 << 21
TYPE = DIRECTORY | SYMLINK | DEVICE | PIPE | SOCKET | CHARACTER | 1 << 19
_TYPES = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFBLK: DEVICE,
    stat.S_IFCHR: DEVICE | CHARACTER,
    stat.S_IFIFO: PIPE,
    stat.S_IFSOCK: SOCKET,
}
_BITS = ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20))


def to_go(mode: int) -> int:
    """Of `st_mode`."""
    found = (mode & 0o777) | _TYPES.get(stat.S_IFMT(mode), 0)
    return found | sum(go for bit, go in _BITS if mode & bit)


def from_go(mode: int) -> int:
    """`st_mode` of it."""
    kinds = [kind for kind, go in _TYPES.items() if mode & TYPE == go]
    found = (mode & 0o777) | (kinds[0] if kinds else stat.S_IFREG)
    return found | sum(bit for bit, go in _BITS if mode & go)
