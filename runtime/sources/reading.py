"""Reads files that other processes may be writing, so that all bytes read belong to one state of the file."""

from __future__ import annotations

import errno
import os
import time
from hashlib import sha256

from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.sources.errors import SourceFailed
from pybuild.runtime.sources.statcache import FINE_GRAIN, known_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.runtime.snapshots.types import Node
    from pybuild.runtime.sources.statcache import Known

TRIES = 5
"""Attempts to read a file that changes meanwhile."""
CHUNK = 1 << 20
# O_NONBLOCK, as opening a file that has become a named pipe would wait for a writer.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class ContextError(SourceFailed):
    """A file of a local directory is unreadable, or changes while it is read."""


def read(node: Node, sink: Callable[[bytes | None], object]) -> tuple[Known, os.stat_result]:
    """Pass a file's bytes to `sink`, chunk by chunk; None makes it start over, as the file changed meanwhile.
    Return the state that was read, and its stat. Raises ContextError if the file keeps changing.

    A write shows in the change time, unless it falls into the same tick of the clock as the last change: so a file
    that was changed just before is read only after a tick.
    """
    for _ in range(TRIES):
        fd = _open(node)
        try:
            before = os.fstat(fd)
            age = time.time_ns() - before.st_ctime_ns
            if 0 <= age < FINE_GRAIN:
                time.sleep((FINE_GRAIN - age) / 1e9)
                before = os.fstat(fd)
            state = sha256()
            left = before.st_size
            # One byte more than the size, so that growth of the file is noticed.
            while left >= 0 and (data := _read(fd, min(left + 1, CHUNK), node)):
                state.update(data)
                sink(data)
                left -= len(data)
                if left == 0:
                    break
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if _same(before, after):
            return known_of(after, state.digest(), bool(attributes(node.real))), after
        sink(None)
    raise restless(node.path)


def read_small(node: Node) -> tuple[bytes, os.stat_result] | None:
    """Read a file no larger than a chunk. Return its bytes and stat, None if it changed since `node` was created."""
    before = node.stat
    fd = _open(node)
    try:
        data = _read(fd, before.st_size + 1, node)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    return (data, after) if len(data) == before.st_size and _same(before, after) else None


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (
        one.st_ctime_ns == other.st_ctime_ns
        and one.st_mtime_ns == other.st_mtime_ns
        and one.st_size == other.st_size
        and one.st_ino == other.st_ino
        and one.st_mode == other.st_mode
    )


def _read(fd: int, size: int, node: Node) -> bytes:
    try:
        return os.read(fd, size)
    except IsADirectoryError:
        raise restless(node.path) from None
    except OSError as error:
        raise unreadable(error, node.path) from None


def _open(node: Node) -> int:
    try:
        return os.open(node.real, _FLAGS)
    except PermissionError as error:
        raise unreadable(error, node.path) from None
    except FileNotFoundError:
        raise vanished(node.path) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
            raise restless(node.path) from None  # another type of file has replaced it
        raise unreadable(error, node.path) from None


def vanished(path: bytes) -> ContextError:
    """Return the error for a file that was removed during the build."""
    return ContextError(
        f"{os.fsdecode(path)} went away while the context was read",
        help="run the build again when nothing removes files any more, or leave it out by .dockerignore",
    )


def unreadable(error: OSError, path: bytes) -> ContextError:
    """Return the error for a file that can't be read."""
    return ContextError(
        f"cannot read {os.fsdecode(path) or '.'} of the context: {error.strerror}",
        help="make it readable, or leave it out by .dockerignore",
    )


def restless(path: bytes) -> ContextError:
    """Return the error for a file that keeps changing."""
    return ContextError(
        f"{os.fsdecode(path)} changes while it is read",
        help="stop what writes to it during the build, or leave it out by .dockerignore",
    )
