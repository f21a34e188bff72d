"""The record database of a store: connections and write transactions."""

from __future__ import annotations

import os
import sqlite3

from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.schema import TABLES, VERSION
from pybuild.runtime.content.space import unmasked

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from types import TracebackType


def database_path(root: str, version: int = VERSION) -> str:
    """The database file of the store at `root` in a version of the schema."""
    return os.path.join(root, f"records-v{version}.sqlite")


def connect(root: str) -> sqlite3.Connection:
    """Open the database of the store at `root`, making its tables if they are missing. `locks/` must be there. Raises
    NoRoom, sqlite3.Error."""
    try:
        return _connected(root)
    except sqlite3.OperationalError as error:
        raise unmasked(error, root) or error from None


def _connected(root: str) -> sqlite3.Connection:
    # One connection serves all threads of the process; `Transaction` and `Store.query` take turns on it.
    db = sqlite3.connect(database_path(root), timeout=60, isolation_level=None, check_same_thread=False)
    if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        # One process at a time: SQLite ignores its timeout while it changes the journal mode.
        lock = wait_lock(os.path.join(root, "locks", "schema"))
        assert lock is not None
        with lock:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version={VERSION}; COMMIT;")
    # Commits are not synced one by one: after a loss of power the database is as of some commit, steps recorded
    # later are lost, and their snapshots are distrusted or swept. `Store.close` syncs what a process leaves.
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("PRAGMA foreign_keys=ON")
    return db


def sync_log(root: str) -> None:
    """Sync the commits of this process to the disk. Nothing is left to do for the last process that closed the
    database: SQLite has written its log back already."""
    try:
        fd = os.open(database_path(root) + "-wal", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Transaction:
    """A write transaction on the shared connection, as a context manager. Other threads of the process wait for it.

    It commits at the end of the context and rolls back on an error. Raises NoRoom where SQLite failed for want of
    room."""

    __slots__ = ("_db", "_guard", "_root")

    def __init__(self, root: str, db: sqlite3.Connection, guard: threading.RLock) -> None:
        self._root = root
        self._db = db
        self._guard = guard

    def __enter__(self) -> sqlite3.Connection:
        self._guard.acquire()
        try:
            # IMMEDIATE takes the write lock at once: a transaction that began by reading would fail, not wait, if
            # another process wrote before its first change.
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self._guard.release()
            self._unmask(error)
            raise
        return self._db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        except sqlite3.OperationalError as failed:
            error = failed
            raise
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._guard.release()
            self._unmask(error)

    def _unmask(self, error: BaseException | None) -> None:
        """Raise NoRoom in place of an error of SQLite's that means it."""
        no_room = unmasked(error, self._root) if isinstance(error, sqlite3.OperationalError) else None
        if no_room is not None:
            raise no_room from error
