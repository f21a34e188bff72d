"""Directories of the store that outlive builds and are no snapshots: cache mounts, git repositories, local trees.

    caches/ID/ORIGIN/NUMBER    a cache mount; `….lock` beside it is its lock
    caches/ID/ORIGIN/gone-…    a cache mount taken out of use (`runtime.ops.caches`), with a lock alike
    git/NAME.git               a repository; its lock is locks/git-NAME.git
    filesync/KEY/NUMBER        a client's directory; `….lock` beside it is its lock

A process that uses a directory holds its lock (`flock`, shared or exclusive) and calls `note_use`. Rows of table
`directory` only describe: a cache or a repository without a row exists all the same. A lock without a guard is
deleted together with its directory. So take such a lock by `wait_lock`, and look for the directory once you hold
it.
"""

from __future__ import annotations

import fcntl
import os
from time import time

from attrs import frozen

from pybuild.runtime.content.labels import CACHE_MOUNT, REGULAR
from pybuild.runtime.content.locks import try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.content.locks import Lock
    from pybuild.runtime.content.store import Store


GONE = "gone-"
"""Prefix of the names of cache mounts taken out of use."""


@frozen
class Directory:
    """A directory and its usage. `path`, `lock` and `guard` are relative to the store. Holding the guard
    exclusively keeps others from choosing the directory; "" where the lock alone does that. Times are seconds
    since the epoch, `used` None before the first recorded use; `size` is in bytes, None if not measured since the
    last use."""

    path: str
    lock: str
    type: str
    guard: str = ""
    description: str = ""
    created: float = 0.0
    used: float | None = None
    uses: int = 0
    size: int | None = None


def note_use(store: Store, path: str, lock: str, type: str, description: str) -> None:
    """Record that a build is about to use, or has used, a directory. `path` and `lock` are relative to the store. A
    measured size is dropped."""
    now = time()
    with store.transaction() as db:
        db.execute(
            "INSERT INTO directory VALUES (?, ?, ?, ?, ?, ?, 1, NULL) ON CONFLICT (path) DO UPDATE SET "
            "used = excluded.used, uses = uses + 1, size = NULL",
            (path, lock, type, description, now, now),
        )


def directories(store: Store) -> list[Directory]:
    """All directories that exist, recorded or not, ordered by path."""
    known = {one.path: one for one in (*_caches(store), *_repositories(store))}
    for row in store.query("SELECT path, lock, type, description, created, used, uses, size FROM directory"):
        path, lock, type, description, created, used, uses, size = row
        if not os.path.isdir(store.path(str(path))):
            continue
        known[str(path)] = Directory(
            str(path),
            str(lock),
            str(type),
            _guard(str(path)),
            str(description),
            float(str(created)),
            float(str(used)),
            int(str(uses)),
            None if size is None else int(str(size)),
        )
    return [known[path] for path in sorted(known)]


def in_use(store: Store, directory: Directory) -> bool:
    """Report whether a process uses a directory or is about to choose it."""
    if not directory.guard:
        return is_locked(store.path(directory.lock))
    # A process that chooses a directory relies on free locks staying free while it holds the guard, and trying a
    # lock takes it for a moment: so hold the guard meanwhile.
    try:
        guard = try_lock(store.path(directory.guard))
    except FileNotFoundError:
        return False  # gone meanwhile
    if guard is None:
        return True
    try:
        return is_locked(store.path(directory.lock))
    finally:
        leave_guard(guard)


def leave_guard(guard: Lock) -> None:
    """Release a guard, and delete its file if nothing else is left beside it."""
    if os.listdir(os.path.dirname(guard.path)) == [os.path.basename(guard.path)]:
        guard.remove()
    guard.release()


def is_locked(path: str) -> bool:
    """Report whether a process holds the lock of this file. The lock is tried, and so held for a moment: take it by
    `wait_lock` where this may be called."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def forget_missing(store: Store) -> None:
    """Delete the rows of directories that no longer exist."""
    paths = [str(row[0]) for row in store.query("SELECT path FROM directory")]
    gone = [(path,) for path in paths if not os.path.isdir(store.path(path))]
    if gone:
        with store.transaction() as db:
            db.executemany("DELETE FROM directory WHERE path = ?", gone)


def keep_size(store: Store, path: str, used: float | None, size: int) -> None:
    """Record the size of a directory in bytes, unless it was used after `used`."""
    with store.transaction() as db:
        db.execute("UPDATE directory SET size = ? WHERE path = ? AND used IS ?", (size, path, used))


def _caches(store: Store) -> Iterator[Directory]:
    for id in _names(store.path("caches")):
        for origin in _names(store.path("caches", id)):
            place = os.path.join("caches", id, origin)
            for name in _names(store.path(place)):
                if name.isdigit():
                    path = os.path.join(place, name)
                    yield _unrecorded(store, path, path + ".lock", CACHE_MOUNT, "cached mount")


def _repositories(store: Store) -> Iterator[Directory]:
    for name in _names(store.path("git")):
        if not name.endswith(".lock"):
            lock = os.path.join("locks", "git-" + name)
            yield _unrecorded(store, os.path.join("git", name), lock, REGULAR, "shared git repo")


def _guard(path: str) -> str:
    """Return the guard of a directory. It follows from the path alone: one that is being made at this moment has it
    already."""
    return os.path.join(os.path.dirname(path), "lock") if path.startswith("caches/") else ""


def _unrecorded(store: Store, path: str, lock: str, type: str, description: str) -> Directory:
    try:
        created = os.stat(store.path(path)).st_mtime
    except FileNotFoundError:
        created = 0.0
    return Directory(path, lock, type, _guard(path), description, created)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
