"""Space on a store's file system: failures for want of it, told as what they are, and the ballast.

The *ballast* is a file of the store that holds nothing. Whatever frees space gives it back first, so that removing
things from a full file system (a journal's blocks, a database's log, a lock's file) has room to work in.
"""

from __future__ import annotations

import errno
import os
import time

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The errors of a write for which there is no room: a full file system, a quota, the largest size of a file."""

BALLAST = "ballast"
_BALLAST_SIZE = 4 << 20
# Twice the most that a compressing file system looks at together: repeated, it can't be made smaller.
_RANDOM = 256 << 10
_FREE = 4
"""Times the ballast's size that must be free for it to be made."""

# ext4 keeps min(2 %, 4096 blocks) from root, too, and counts them as free; its own percentage is of a little more
# than `f_blocks`.
_KEPT_SHARE, _KEPT_BLOCKS = 40, 4096
# A write is made in pieces of up to a large page; the last one fails whole, though there are blocks for a part of it.
_REST, _REST_SHARE = 1 << 20, 100

# A step can't write more than the first between two looks that are apart by the longer time.
_NEARLY, _NEARLY_INODES = 128 << 20, 10_000
_OFTEN, _SELDOM = 2, 50

_COARSE = 5
"""CLOCK_REALTIME_COARSE, the clock of files' times."""
_MEASURE_SECONDS = 0.5
_PROBE = 128 << 10
_DISGUISES = ("disk i/o", "unable to open")
"""Words of SQLite's, besides "full", if its files can't grow or be made."""


class NoRoom(UserError):
    """There was no room for a write. `number` is the error's, `directory` where it happened, `store` the root of the
    store, which may be given up for room."""

    def __init__(self, number: int, directory: str, store: str, *, inodes: bool | None = None) -> None:
        if inodes is None:
            inodes = number == errno.ENOSPC and used_up(directory) == "inode"
        title, help = told(number, directory, store, inodes=inodes)
        super().__init__(title, help=help)
        self.number, self.directory, self.store = number, directory, store


def told(number: int, directory: str, store: str, *, inodes: bool = False) -> tuple[str, str]:
    """Return title and help for a write that failed at `directory` by one of the errors `NO_ROOM`."""
    if number == errno.EFBIG:
        return (
            f"file too large: {directory}",
            "raise the limit of the size of files (ulimit -f), or use a file system that takes larger ones",
        )
    lacks = "disk quota exceeded" if number == errno.EDQUOT else "no space left on device"
    if inodes:
        lacks += " (no inode is left)"
    return f"{lacks}: {directory}", advice(store)


def advice(store: str = "") -> str:
    """Return what an out-of-space message says can be done; with the root of the store also how much it holds."""
    from pybuild.runtime.progress.amounts import bytes_text

    size, whole = _held(store) if store else (0, True)
    holds = (
        f", which frees the {'' if whole else 'more than '}{bytes_text(size)} of the store {store}"
        if size
        else ""
    )
    return f"free some, run `pybuild prune --all`{holds}, or set PYBUILD_ROOT to a directory on a larger file system"


def used_up(path: str, *, root: bool = False) -> str:
    """Return "block" or "inode" if the file system of `path` has none left for an ordinary user, or for `root`; ""
    if it has both. A total of 0 means that it doesn't count them."""
    there = _statistics(path)
    return "" if there is None else _used_up(there, root=root)


def _statistics(path: str) -> os.statvfs_result | None:
    try:
        return os.statvfs(path)
    except OSError:
        return None


def _left(there: os.statvfs_result, *, root: bool) -> float:
    """Return the bytes that can be written, without the rest that a larger write leaves."""
    if there.f_blocks == 0:
        return float("inf")
    left = there.f_bavail
    if root and there.f_bfree > there.f_bavail:
        left = there.f_bfree - min(there.f_blocks // _KEPT_SHARE, _KEPT_BLOCKS)
    return left * there.f_frsize - min(_REST, there.f_blocks * there.f_frsize // _REST_SHARE)


def _used_up(there: os.statvfs_result, *, root: bool) -> str:
    if _left(there, root=root) <= 0:
        return "block"
    if there.f_files and (there.f_ffree if root else there.f_favail) == 0:
        return "inode"
    return ""


class SpaceWatch:
    """Notes whether the file system of `path` has no block or inode left at a moment when `look` is called, for an
    ordinary user or for `root`. `lacked` is what `used_up` said."""

    __slots__ = ("_path", "_root", "began", "lacked")

    def __init__(self, path: str, *, root: bool) -> None:
        self._path = path
        self._root = root
        self.began = time.clock_gettime_ns(_COARSE)
        self.lacked = ""

    def look(self) -> int:
        """Look, and return the milliseconds until the next look is due."""
        if not self.lacked:
            there = _statistics(self._path)
            if there is None:
                return _SELDOM
            self.lacked = _used_up(there, root=self._root)
            few_inodes = there.f_files > 0 and there.f_favail < _NEARLY_INODES
            if few_inodes or _left(there, root=self._root) < _NEARLY:
                return _OFTEN
        return _SELDOM

    def written(self, directory: bytes) -> bool:
        """Report whether something in a directory has changed since the watch began."""
        if os.lstat(directory).st_mtime_ns >= self.began:
            return True
        pending = [directory]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_ctime_ns >= self.began:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        return False


def unmasked(error: sqlite3.Error, root: str) -> NoRoom | None:
    """Return the error of a database operation if it failed for want of room, in whatever words SQLite says so."""
    text = str(error).lower()
    if "full" in text:
        return NoRoom(_refusal(root) or errno.ENOSPC, root, root)
    if any(words in text for words in _DISGUISES):
        number = _refusal(root)
        if number is None and used_up(root, root=os.geteuid() == 0):
            number = errno.ENOSPC
        if number is not None:
            return NoRoom(number, root, root)
    return None


def make_ballast(root: str) -> None:
    """Make the ballast of the store at `root` unless it is there or there is no room for it."""
    path = os.path.join(root, BALLAST)
    temporary = f"{path}.{os.urandom(6).hex()}"
    try:
        there = os.statvfs(root)
        total, free = there.f_blocks * there.f_frsize, there.f_bavail * there.f_frsize
        size = min(_BALLAST_SIZE, total // 100) if total else _BALLAST_SIZE
        if os.path.exists(path) or (total and free < _FREE * size):
            return
        try:
            _fill(temporary, size)
            os.rename(temporary, path)
        except OSError:
            os.unlink(temporary)
    except OSError:
        return  # the store works without


def give_back_ballast(root: str) -> None:
    """Remove the ballast of the store at `root`."""
    try:
        os.unlink(os.path.join(root, BALLAST))
    except OSError:
        return  # none, or a file system that can't be written


def _fill(path: str, size: int) -> None:
    data = os.urandom(_RANDOM)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        while size > 0:
            size -= os.write(fd, data[:size])
    finally:
        os.close(fd)


def _refusal(root: str) -> int | None:
    """Try to make a small file in the store's directory; return the error if there is no room for it."""
    path = os.path.join(root, f"{BALLAST}.{os.urandom(6).hex()}")
    try:
        try:
            _fill(path, _PROBE)
        finally:
            os.unlink(path)
    except OSError as error:
        return error.errno if error.errno in NO_ROOM else None
    return None


def _held(root: str) -> tuple[int, bool]:
    """Return the bytes that the store takes, and whether all were counted in the time for it. What is mounted in it
    doesn't count, nor what processes are about to make: it goes with them."""
    size, end = 0, time.monotonic() + _MEASURE_SECONDS
    work = os.path.join(root, "work")
    try:
        device = os.lstat(root).st_dev
    except OSError:
        return 0, True
    pending = [root]
    while pending:
        if time.monotonic() > end:
            return size, False
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != device or entry.path == work:
                        continue
                    size += status.st_blocks * 512 // max(1, status.st_nlink if entry.is_file() else 1)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return size, True
