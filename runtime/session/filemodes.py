"""File modes as fsutil's packets hold them: Go's, which keep the kind of a file and the bits above 0777 elsewhere
than Unix does."""

from __future__ import annotations

import stat

DIRECTORY, SYMLINK, DEVICE, PIPE, SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
SETUID, SETGID, CHARACTER, STICKY, IRREGULAR = 1 << 23, 1 << 22, 1 << 21, 1 << 20, 1 << 19
KINDS = DIRECTORY | SYMLINK | DEVICE | PIPE | SOCKET | CHARACTER | IRREGULAR
"""A mode without any of them is a regular file's."""

_BITS = ((SETUID, stat.S_ISUID), (SETGID, stat.S_ISGID), (STICKY, stat.S_ISVTX))
_OF_KIND = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFIFO: PIPE,
    stat.S_IFSOCK: SOCKET,
    stat.S_IFBLK: DEVICE,
    stat.S_IFCHR: DEVICE | CHARACTER,
    stat.S_IFREG: 0,
}
_KIND_OF = {go: unix for unix, go in _OF_KIND.items()}


def unix_mode(mode: int) -> int:
    """Kind and permissions as `st_mode` holds them. Raises ValueError for a kind that Unix lacks."""
    kind = _KIND_OF.get(mode & KINDS)
    if kind is None:
        raise ValueError(f"{mode:#o} is the mode of no kind of file")
    found = kind | mode & 0o777
    for go, unix in _BITS:
        if mode & go:
            found |= unix
    return found


def go_mode(mode: int) -> int:
    """The same from an `st_mode`."""
    found = _OF_KIND.get(stat.S_IFMT(mode), IRREGULAR) | mode & 0o777
    for go, unix in _BITS:
        if mode & unix:
            found |= go
    return found
