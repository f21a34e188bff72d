"""File modes and times in fsutil's packets: those of Go's `os.FileMode`, whose bits for the type of a file and for
set-id and sticky differ from Unix, and of `UnixNano`."""

from __future__ import annotations

import stat

DIRECTORY, SYMLINK, DEVICE, PIPE, SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
SETUID, SETGID, CHARACTER, STICKY, IRREGULAR = 1 << 23, 1 << 22, 1 << 21, 1 << 20, 1 << 19
KINDS = DIRECTORY | SYMLINK | DEVICE | PIPE | SOCKET | CHARACTER | IRREGULAR
"""The bits of all types; a regular file has none of them."""

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
    """Convert a Go mode to `st_mode`. Raises ValueError for a type that Unix lacks."""
    kind = _KIND_OF.get(mode & KINDS)
    if kind is None:
        raise ValueError(f"{mode:#o} is the mode of no kind of file")
    converted = kind | mode & 0o777
    for go, unix in _BITS:
        if mode & go:
            converted |= unix
    return converted


def go_mode(mode: int) -> int:
    """Convert an `st_mode` to a Go mode."""
    converted = _OF_KIND.get(stat.S_IFMT(mode), IRREGULAR) | mode & 0o777
    for go, unix in _BITS:
        if mode & unix:
            converted |= go
    return converted


def go_time(nanoseconds: int) -> int:
    """Return a time as Go's `UnixNano` does: one before 1677 or after 2262 doesn't fit into 64 bits, and wraps."""
    return (nanoseconds + (1 << 63)) % (1 << 64) - (1 << 63)
