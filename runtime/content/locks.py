"""Locks between processes: `flock` on files, which the kernel drops when their holder dies."""

from __future__ import annotations

import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

POLL = 0.02
"""Seconds between two tries of a waiter that can be cancelled."""
WANTED = ".wanted"
"""What the file that waiters of a lock hold is called behind the lock's own name."""


class Lock:
    """A held lock. Leaving the context, `release` or the death of the process gives it back.

    The descriptor closes on exec; a child made by a bare fork must close it, or the child holds the lock too.
    """

    __slots__ = ("_fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def release(self) -> None:
        """Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def share(self) -> bool:
        """Go on holding it as others may do too. False: another got it meanwhile, and this one is released."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True

    def remove(self) -> None:
        """Delete the lock's file and release it: waiters notice and take the next file of that name."""
        if self._fd >= 0:
            os.unlink(self.path)
            self.release()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: str, *, shared: bool = False) -> Lock | None:
    """The lock on `path`, made if missing, or None while another holds it."""
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
    """The lock on `path`, waited for. `on_wait` is called once with the holder's signature when it must wait for
    another process; None is returned when `cancelled` answers true before the lock is free."""
    told = False
    waiter: Lock | None = None
    try:
        while True:
            lock = try_lock(path, shared=shared)
            if lock is not None:
                return lock
            if cancelled is not None and cancelled():
                return None
            waiter = waiter or try_lock(path + WANTED, shared=True)
            if not told and on_wait is not None:
                found = holder(path)
                told = not found.startswith(_own_signature())
                if told:
                    on_wait(found)
            time.sleep(POLL)
    finally:
        if waiter is not None:
            waiter.release()
            wanted(path)


def wanted(path: str) -> bool:
    """Whether somebody waits for the lock on `path`."""
    if not os.path.exists(path + WANTED):
        return False
    lock = try_lock(path + WANTED)
    if lock is not None:
        lock.remove()
    return lock is None


def holder(path: str) -> str:
    """Who signed the lock file last: `pid 123 (pybuild build .)`; `another process` when unknown."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(300).strip()
    except OSError:
        text = ""
    return text or "another process"


def _inode(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _own_signature() -> str:
    """What the signatures of this process begin with."""
    return f"pid {os.getpid()} "


def _sign(fd: int) -> None:
    command = " ".join([os.path.basename(sys.argv[0]) or "python", *sys.argv[1:4]]) if sys.argv else "python"
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{_own_signature()}({command[:200]})".encode("utf-8", "replace"), 0)
