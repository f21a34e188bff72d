"""The store: one directory per user that holds blobs, snapshots and the record database.

    store.json          schema version and who wrote it
    in-use.lock         held shared by every process that works here, exclusively by a structural change
    records-v3.sqlite   tables of `schema.py`; the number is their version
    blobs/ ingest/      content (`blobs.py`)
    snapshots/          committed snapshots (`runtime.snapshots`)
    work/NAME/          what one process makes before it commits; NAME.lock is held while the process lives
    locks/              one file a cache key being computed
    stat/               digests of local files (`runtime.sources.statcache`)
    generation          changes when something said outside of the database may hold no longer
    invocations/        records of whole builds (`pybuild.replay.replay`)
    git/                repositories fetched from (`runtime.sources.gitrepository`)
    filesync/           directories of clients (`runtime.sources.filesync.pool`)
    filesync/           directories of clients, as they were sent last (`runtime.sources.filesync`)
    history/            builds of the daemon (`pybuild.daemon.history`)

Every write is a rename or a transaction. What a dead process left in `work/` is swept by `sweep`.
"""

from __future__ import annotations

import os
import sqlite3
import threading

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.blobs import Blobs
from pybuild.runtime.content.locks import Lock, try_lock, wait_lock, wanted
from pybuild.runtime.content.schema import TABLES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

IN_USE = "in-use.lock"
ENTRIES = (
    "store.json",
    "records-v",
    "blobs",
    "ingest",
    "snapshots",
    "work",
    "locks",
    "stat",
    "generation",
    "invocations",
    "host",
    "caches",
    "git",
    "filesync",
    "history",
    "snapshotter",
)
"""How the names of all that a store's directory holds begin, but for IN_USE."""

REMOTE_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "fuse.sshfs", "fuse.glusterfs"}
)


class StoreError(UserError):
    """The store can't be used."""


def boot_id() -> str:
    """The kernel's random name of this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


class Store:
    """An open store. Thread-safe; one object a process. Close it, or the process's end does."""

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
        """Open or make the store at `root`, waiting while another process changes its structure.

        With `exclusive` no other process works in it meanwhile. Raises StoreError: no permission, a remote
        file system, a store written by a newer version.
        """
        try:
            # Apart from those in it: `makedirs` gives its mode to the last directory alone.
            os.makedirs(root, mode=0o700, exist_ok=True)
            for name in ("locks", "work", "snapshots", "ingest", os.path.join("blobs", "sha256")):
                os.makedirs(os.path.join(root, name), mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unusable(root, error) from None
        _check_file_system(root)
        _check_schema(root)
        if not os.path.exists(os.path.join(root, f"records-v{VERSION}.sqlite")):
            from pybuild.runtime.content.migration import migrate

            migrate(root, on_wait=on_wait)
        in_use = wait_lock(os.path.join(root, IN_USE), shared=not exclusive, on_wait=on_wait)
        assert in_use is not None
        return cls(root, in_use, _connect(root))

    def transaction(self) -> Transaction:
        """A write transaction: `with store.transaction() as db`. Commits at the end, rolls back on error."""
        return Transaction(self._db, self._guard)

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of one reading statement."""
        with self._guard:
            return self._db.execute(sql, values).fetchall()

    def path(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)

    @property
    def work(self) -> str:
        """This process's own directory in `work/`, made on first use; it goes with the process. That use is outside
        of a transaction: who sweeps holds the lock of a directory while waiting for the database."""
        with self._guard:
            if self._work is None:
                assert not self._db.in_transaction
                name = os.urandom(8).hex()
                self._work_lock = wait_lock(self.path("work", name + ".lock"))
                self._work = self.path("work", name)
                os.mkdir(self._work, 0o700)
            return self._work

    def lease(self, kind: str, *refs: str) -> None:
        """Keep blobs or snapshots (`kind` "blob" or "snapshot") while this process lives."""
        with self._guard:
            wanted = [ref for ref in refs if (kind, ref) not in self._leased]
            if not wanted:
                return
            owner = os.path.basename(self.work)
            with self.transaction() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO lease VALUES (?, ?, ?)", [(owner, kind, ref) for ref in wanted]
                )
            self._leased.update((kind, ref) for ref in wanted)

    def leases(self, kind: str, ref: str) -> bool:
        """Whether this process has leased something by `lease`."""
        return (kind, ref) in self._leased

    def generation(self) -> str:
        """Changes with every `bump`; "" at first."""
        try:
            with open(self.path("generation"), encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def known_generation(self) -> str | None:
        """The generation, if since this store was opened only this process changed it."""
        found = self.generation()
        return found if found == self._seen else None

    def bump(self) -> None:
        """A name in the store means something else now, or content was deleted: what was remembered of the
        store outside of its database (invocation records) holds no longer."""
        lock = self.lock("generation")
        assert lock is not None
        with lock:
            alone = self.known_generation() is not None
            temporary = self.path("generation." + os.urandom(6).hex())
            made = os.urandom(16).hex()
            with open(temporary, "w", encoding="ascii") as file:
                file.write(made)
            os.rename(temporary, self.path("generation"))
            if alone:
                self._seen = made

    def lock(
        self,
        name: str,
        *,
        on_wait: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Lock | None:
        """The lock named `name` (safe in a file name) among all processes; None when cancelled."""
        return wait_lock(self.path("locks", name), on_wait=on_wait, cancelled=cancelled)

    def wanted(self, name: str) -> bool:
        """Whether somebody waits for the lock named `name`."""
        return wanted(self.path("locks", name))

    def sweep(self, remove: Callable[[str], None]) -> list[str]:
        """Delete what dead processes left: their work directories (by `remove`, which must cope with foreign
        owners and mounts), half-written blobs among them, and their leases. Names of the swept directories."""
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
        for entry in sorted(os.listdir(self.path("work"))):
            if not entry.endswith(".lock"):
                continue
            lock = try_lock(self.path("work", entry))
            if lock is not None:
                yield entry.removesuffix(".lock")
                lock.remove()

    def clear(self, remove: Callable[[str], None]) -> None:
        """Delete what this process has in its work directory (by `remove`, as in `sweep`)."""
        with self._guard:
            if self._work is not None:
                for name in os.listdir(self._work):
                    remove(os.path.join(self._work, name))

    def close(self) -> None:
        """Idempotent. A work directory that is not empty is left to a later sweep."""
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
            self._db.close()
            self.blobs.sync()
            self._sync_records()
            self._in_use.release()

    def _sync_records(self) -> None:
        """Make the commits of this process last. The last process to close has written the log back already."""
        try:
            fd = os.open(self.path(f"records-v{VERSION}.sqlite-wal"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transaction:
    """One write transaction on the shared connection, alone among the process's threads."""

    __slots__ = ("_db", "_guard")

    def __init__(self, db: sqlite3.Connection, guard: threading.RLock) -> None:
        self._db = db
        self._guard = guard

    def __enter__(self) -> sqlite3.Connection:
        self._guard.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._guard.release()
            raise
        return self._db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._guard.release()


def _end_leases(db: sqlite3.Connection, owner: str) -> None:
    """End the leases of a process, in a transaction: what it had leased of the snapshots it has used."""
    db.execute(
        "INSERT INTO usage (snapshot, used, uses) "
        "SELECT id, CAST(strftime('%s', 'now') AS REAL), 1 FROM snapshot WHERE id IN "
        "(SELECT CAST(ref AS INTEGER) FROM lease WHERE owner = ? AND kind IN ('snapshot', 'made')) "
        "ON CONFLICT (snapshot) DO UPDATE SET used = excluded.used, uses = uses + 1",
        (owner,),
    )
    db.execute("DELETE FROM lease WHERE owner = ?", (owner,))


def make_root(root: str) -> None:
    """Make the store's directory if it is missing; before namespaces are entered. Raises StoreError: it can't be
    made, or holds the store of another user."""
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        owner = os.stat(os.path.join(root, "store.json")).st_uid
    except FileNotFoundError as error:
        if not os.path.isdir(root):
            raise _unusable(root, error) from None
        return
    except OSError as error:
        raise _unusable(root, error) from None
    if owner != os.geteuid():
        raise StoreError(
            f"the store {root} is that of another user ({_user_name(owner)}): one store serves one user",
            help="set PYBUILD_ROOT to a directory of your own, or unset it",
        )


def _unusable(root: str, error: OSError) -> StoreError:
    import errno

    what = "a file is there" if error.errno == errno.EEXIST else error.strerror or str(error)
    help = "set PYBUILD_ROOT to a directory you can write"
    if error.errno == errno.EACCES:
        try:
            what += f", it belongs to {_user_name(os.stat(root).st_uid)}"
        except OSError:
            pass
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        help = "free some space, or set PYBUILD_ROOT to a directory on a larger file system"
    return StoreError(f"cannot use {root} as the store: {what}", help=help)


def _user_name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _connect(root: str) -> sqlite3.Connection:
    path = os.path.join(root, f"records-v{VERSION}.sqlite")
    db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        # One process at a time: SQLite waits for nobody while it changes the journal mode.
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


def _check_schema(root: str) -> None:
    path = os.path.join(root, "store.json")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except IsADirectoryError:
        text = b""
    except FileNotFoundError:
        from pybuild.runtime.content.migration import claim

        claim(root)
        return
    import json

    try:
        found = json.loads(text)
        schema, writer = int(found["schema"]), str(found["written_by"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(
            f"{path} is damaged", help=f"move {root} away, or set PYBUILD_ROOT to another directory"
        ) from None
    if schema > VERSION:
        raise StoreError(
            f"the store {root} was written by pybuild {writer} (schema {schema}); this version reads {VERSION}",
            help="use that version or a newer one, or set PYBUILD_ROOT to another directory",
        )


def _check_file_system(root: str) -> None:
    kind = file_system(root)
    if kind in REMOTE_FILE_SYSTEMS:
        raise StoreError(
            f"the store {root} is on {kind}, which supports neither its locks nor overlay mounts",
            help="set PYBUILD_ROOT to a directory on a local file system",
        )


def file_system(path: str) -> str:
    """Type of the file system that holds `path` (`ext4`, `nfs4`), by the longest mount point above it."""
    path = os.path.realpath(path)
    best, kind = -1, ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            point = fields.split(" ")[4].replace("\\040", " ")
            inside = path == point or path.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= best:
                best, kind = len(point), rest.split(" ", 1)[0]
    return kind


__all__ = ["Store", "StoreError", "Transaction", "boot_id", "file_system"]
