"""Locks between processes: `flock` on files. The kernel drops them when their holder dies, so none goes stale."""

from __future__ import annotations

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

POLL = 0.02
"""Seconds between two tries of a waiter. It polls, since a blocking flock(2) can't be cancelled."""
WANTED = ".wanted"
"""Suffix of the file beside a lock that its waiters hold locked, shared."""


class Lock:
    """A held lock. Leaving the context, `release` or the death of the process releases it.

    The descriptor closes on exec. A child of a bare fork holds the lock too until it closes the descriptor.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def release(self) -> None:
        """Release the lock. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def share(self) -> bool:
        """Turn an exclusive lock into a shared one. Returns false if another process got the lock in between; this
        one is released then."""
        # flock(2) converts by releasing and locking again, which is not atomic.
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True

    def remove(self) -> None:
        """Delete the lock's file and release it. Waiters notice (`try_lock`) and lock the next file of that
        name."""
        if self._fd >= 0:
            os.unlink(self.path)
            self.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: str, *, shared: bool = False) -> Lock | None:
    """Lock file `path`, made if missing; None while another holder has it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        try:
            # `Lock.remove` may have deleted the file between open and flock. Then this lock is on a file that
            # nobody else will find: take the one that has the name.
            there: os.stat_result | None = os.stat(path)
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != _inode(fd):
            os.close(fd)
            continue
        if not shared:
            _sign(fd)
        return Lock(path, fd)


def wait_lock(
    path: str,
    *,
    shared: bool = False,
    on_wait: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Lock | None:
    """Wait for the lock on `path`. `on_wait` is called once with the holder's signature if another process has it.
    Returns None when `cancelled` answers true before the lock is free."""
    reported = False
    waiter: Lock | None = None
    try:
        while True:
            lock = try_lock(path, shared=shared)
            if lock is not None:
                return lock
            if cancelled is not None and cancelled():
                return None
            # None while `wanted` is trying that lock; then the next round takes it.
            waiter = waiter or try_lock(path + WANTED, shared=True)
            if not reported and on_wait is not None:
                signature = holder(path)
                # Another thread of this process is nothing to report.
                reported = not signature.startswith(_own_signature())
                if reported:
                    on_wait(signature)
            time.sleep(POLL)
    finally:
        if waiter is not None:
            waiter.release()
            wanted(path)  # deletes the waiters' file if this was the last one


def wanted(path: str) -> bool:
    """Report whether a process waits for the lock on `path`. Deletes the waiters' file if nobody does."""
    if not os.path.exists(path + WANTED):
        return False
    lock = try_lock(path + WANTED)
    if lock is not None:
        lock.remove()
    return lock is None


def holder(path: str) -> str:
    """The signature in a lock file, that of its last exclusive holder: `pid 123 (pybuild build .)`; `another
    process` if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(300).strip()
    except OSError:
        text = ""
    return text or "another process"


def _inode(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _own_signature() -> str:
    """The beginning of this process's signatures."""
    return f"pid {os.getpid()} "


def _sign(fd: int) -> None:
    command = " ".join([os.path.basename(sys.argv[0]) or "python", *sys.argv[1:4]]) if sys.argv else "python"
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{_own_signature()}({command[:200]})".encode("utf-8", "replace"), 0)
    except OSError:
        # A full file system. The lock is held all the same, and perhaps by someone who is about to make room.
        return
