"""The store: one directory per user that holds blobs, snapshots and the record database.

What lies in the directory is listed in `root.py`. Every write is a rename or a transaction, so a process may be
killed at any moment; what it leaves in `work/` is deleted by the next `sweep`.
"""

from __future__ import annotations

import os
import sqlite3
import threading

from pybuild.runtime.content.blobs import Blobs
from pybuild.runtime.content.database import Transaction, connect, database_path, sync_log
from pybuild.runtime.content.locks import Lock, try_lock, wait_lock, wanted
from pybuild.runtime.content.root import IN_USE, is_prepared, prepare_root
from pybuild.runtime.content.snapshot_table import count_uses
from pybuild.runtime.content.space import unmasked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def boot_id() -> str:
    """The kernel's random ID of this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


class Store:
    """An open store. Thread-safe; open it once in a process. The end of the process closes it too."""

    __slots__ = (
        "_db",
        "_guard",
        "_in_use",
        "_leased",
        "_seen",
        "_work",
        "_work_lock",
        "blobs",
        "boot",
        "root",
    )

    def __init__(self, root: str, in_use: Lock, db: sqlite3.Connection) -> None:
        self.root = root
        self.blobs = Blobs(root, lambda: self.work, lambda digest: self.lease("blob", digest))
        self.boot = boot_id()
        self._in_use = in_use
        self._db = db
        self._guard = threading.RLock()
        self._leased: set[tuple[str, str]] = set()
        self._seen = self.generation()
        self._work: str | None = None
        self._work_lock: Lock | None = None

    @classmethod
    def open(
        cls, root: str, *, exclusive: bool = False, on_wait: Callable[[str], None] | None = None
    ) -> Store:
        """Open the store at `root`, made if missing; wait while another process changes its structure.

        With `exclusive` wait until no other process has it open, and keep others out. Raises StoreError: no
        permission, a remote file system, a store written by a newer version.
        """
        prepare_root(root)
        if not os.path.exists(database_path(root)):
            from pybuild.runtime.content.migration import migrate

            migrate(root, on_wait=on_wait)
        in_use = wait_lock(os.path.join(root, IN_USE), shared=not exclusive, on_wait=on_wait)
        assert in_use is not None
        # Who had the lock until now may have emptied the store. From here on nobody can.
        if not is_prepared(root):
            prepare_root(root)
        return cls(root, in_use, connect(root))

    def transaction(self) -> Transaction:
        """Return a write transaction: `with store.transaction() as db`. Commits at the end, rolls back on error."""
        return Transaction(self.root, self._db, self._guard)

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Run one reading statement and return all its rows. Raises NoRoom: SQLite needs a file to read, too."""
        try:
            with self._guard:
                return self._db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            raise unmasked(error, self.root) or error from None

    def path(self, *parts: str) -> str:
        """A path below the store's directory."""
        return os.path.join(self.root, *parts)

    @property
    def work(self) -> str:
        """The path of this process's own directory in `work/`, made on first use; deleted when the process has
        ended.

        The first use must be outside of a transaction: a sweep holds the lock of a work directory while it waits
        for the database, so taking both in the other order could deadlock."""
        with self._guard:
            if self._work is None:
                assert not self._db.in_transaction
                name = os.urandom(8).hex()
                self._work_lock = wait_lock(self.path("work", name + ".lock"))
                self._work = self.path("work", name)
                os.mkdir(self._work, 0o700)
            return self._work

    def lease(self, kind: str, *refs: str) -> None:
        """Keep blobs or snapshots (`kind` "blob" or "snapshot") from being deleted while this process lives."""
        with self._guard:
            fresh = [ref for ref in refs if (kind, ref) not in self._leased]
            if not fresh:
                return
            owner = os.path.basename(self.work)
            with self.transaction() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO lease VALUES (?, ?, ?)", [(owner, kind, ref) for ref in fresh]
                )
            self._leased.update((kind, ref) for ref in fresh)

    def leases(self, kind: str, ref: str) -> bool:
        """Report whether this process has leased something by `lease`."""
        return (kind, ref) in self._leased

    def generation(self) -> str:
        """A value that changes with every `bump`; "" at first."""
        try:
            with open(self.path("generation"), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def known_generation(self) -> str | None:
        """The generation if no other process has changed it since this store was opened, else None."""
        current = self.generation()
        return current if current == self._seen else None

    def bump(self) -> None:
        """Change the generation: content was deleted, or a name in the store means something else. Everything
        remembered of the store outside of its database (invocation records) is invalid then."""
        lock = self.lock("generation")
        assert lock is not None
        with lock:
            alone = self.known_generation() is not None
            temporary = self.path("generation." + os.urandom(6).hex())
            generation = os.urandom(16).hex()
            with open(temporary, "w", encoding="ascii") as file:
                file.write(generation)
            os.rename(temporary, self.path("generation"))
            # Else the change by another process must go on showing in `known_generation`.
            if alone:
                self._seen = generation

    def lock(
        self,
        name: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Lock | None:
        """Take the lock named `name` (safe in a file name) among all processes; None when cancelled."""
        return wait_lock(self.path("locks", name), on_wait=on_wait, cancelled=cancelled)

    def wanted(self, name: str) -> bool:
        """Report whether a process waits for the lock named `name`."""
        return wanted(self.path("locks", name))

    def sweep(self, remove: Callable[[str], None]) -> list[str]:
        """Delete what dead processes left: their work directories, half-written blobs among them, and their
        leases. `remove` deletes a directory tree and must cope with foreign owners and mounts. Returns the names
        of the swept work directories."""
        swept = []
        for name in self._dead():
            directory = self.path("work", name)
            if os.path.lexists(directory):
                remove(directory)
            with self.transaction() as db:
                _end_leases(db, name)
            swept.append(name)
        return swept

    def _dead(self) -> Iterator[str]:
        """The names of dead processes' work directories. The lock of each is held until the next is asked for."""
        for entry in sorted(os.listdir(self.path("work"))):
            if not entry.endswith(".lock"):
                continue
            lock = try_lock(self.path("work", entry))
            if lock is not None:
                yield entry.removesuffix(".lock")
                # Last: a sweep that is killed before this is done again by the next one.
                lock.remove()

    def clear(self, remove: Callable[[str], None]) -> None:
        """Delete the content of this process's work directory (by `remove`, as in `sweep`)."""
        with self._guard:
            if self._work is not None:
                for name in os.listdir(self._work):
                    remove(os.path.join(self._work, name))

    def close(self) -> None:
        """End the leases of this process, sync what it has committed and close the store. Idempotent. A work
        directory that is not empty is left to a later sweep, together with the leases."""
        with self._guard:
            if self._work is not None and self._work_lock is not None:
                try:
                    os.rmdir(self._work)
                except OSError:
                    self._work_lock.release()
                else:
                    with self.transaction() as db:
                        _end_leases(db, os.path.basename(self._work))
                    self._work_lock.remove()
                self._work = self._work_lock = None
            # Closed first: the last process to close the database writes its log back, and leaves nothing to sync.
            self._db.close()
            self.blobs.sync()
            sync_log(self.root)
            self._in_use.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _end_leases(db: sqlite3.Connection, owner: str) -> None:
    """Delete the leases of a process, in a transaction. The snapshots that it had leased count as used until
    now."""
    count_uses(db, owner)
    db.execute("DELETE FROM lease WHERE owner = ?", (owner,))
