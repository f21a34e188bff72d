"""Reading files that somebody may be writing: every byte that is taken belongs to one state of the file."""

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
CHUNK = 1 << 20
# Not to wait for a writer where a file has become a named pipe.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class ContextError(SourceFailed):
    """A local directory can't be read as it is."""


def read(node: Node, sink: Callable[[bytes | None], object]) -> tuple[Known, os.stat_result]:
    """Feed the file's bytes to `sink`, chunk by chunk; with None it starts over, because the file changed
    meanwhile. What is known of the file then, and its stat. Raises ContextError when it won't hold still.

    A write shows by a later change time, unless it comes within the tick of the last one: a file that was
    changed just now is left alone for that long first.
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
            # One byte more than there should be: a file that has grown shows by it.
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
    """All bytes of a file no larger than a chunk, and its stat; None if it changed since `node` was made."""
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
            raise restless(node.path) from None  # it is something else than it was
        raise unreadable(error, node.path) from None


def vanished(path: bytes) -> ContextError:
    return ContextError(
        f"{os.fsdecode(path)} went away while the context was read",
        help="run the build again when nothing removes files any more, or leave it out by .dockerignore",
    )


def unreadable(error: OSError, path: bytes) -> ContextError:
    return ContextError(
        f"cannot read {os.fsdecode(path) or '.'} of the context: {error.strerror}",
        help="make it readable, or leave it out by .dockerignore",
    )


def restless(path: bytes) -> ContextError:
    return ContextError(
        f"{os.fsdecode(path)} changes while it is read",
        help="stop what writes to it during the build, or leave it out by .dockerignore",
    )
