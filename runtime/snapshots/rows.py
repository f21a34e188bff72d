"""The committed snapshots of one kind: rows of the record database beside directories `snapshots/ID`.

    snapshots/ID/fs           the diff, or the whole tree of a plain snapshot
    snapshots/ID/flat-BOOT    the whole state, where a chain got too long to be mounted (`flatten.py`)
    snapshots/ID/linked       snapshots that files here may be hard links into (`kinship.py`)
    snapshots/ID/deleted      what the diff hides, if no parent is there to have it (`stacking.py`)
    snapshots/empty           an empty directory

A snapshot with an *origin* is the origin's diff laid over another parent: the layer is the origin's, and so are
the files if it *shares* them; then it has no directory of its own. An origin has none itself, and stays while
others have it.

A directory gets its name inside the transaction that adds its row, so while a process holds the database's
write lock every directory without a row is an orphan. A number is never given twice."""

from __future__ import annotations

import errno
import os

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from pybuild.runtime.content.store import Store

REMOVED = "removed"
"""Kind of the row that stands for the highest number ever given when its snapshot is gone."""


class SnapshotError(UserError):
    """A snapshot can't be made, found or mounted."""


def files_missing(snapshot: int) -> SnapshotError:
    return SnapshotError(
        f"the files of snapshot {snapshot} are gone from the store",
        help="something outside deleted them; run the build again with --no-cache, or remove the store",
    )


class Rows:
    """What the database knows about the snapshots of `kind`. Thread-safe."""

    __slots__ = ("_known", "_trusted", "base", "kind", "store")

    def __init__(self, store: Store, kind: str) -> None:
        self.store = store
        self.base = os.fsencode(store.path("snapshots"))
        self.kind = kind
        self._known: dict[int, tuple[int | None, int | None, bool]] = {}
        self._trusted: set[int] = set()

    def directory(self, snapshot: int) -> bytes:
        """Where the files of a snapshot lie."""
        return b"%b/%d" % (self.base, snapshot)

    def empty(self) -> bytes:
        """A directory with nothing in it, mode 0755."""
        path = self.base + b"/empty"
        if not os.path.isdir(path):
            temporary = os.fsencode(os.path.join(self.store.work, os.urandom(8).hex()))
            os.mkdir(temporary)
            os.chmod(temporary, 0o755)
            try:
                os.rename(temporary, path)
            except OSError as failure:
                if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                os.rmdir(temporary)
        return path

    def room(self) -> bytes:
        """A fresh name in this process's work directory."""
        return os.fsencode(os.path.join(self.store.work, os.urandom(8).hex()))

    def parent(self, snapshot: int) -> int | None:
        """Raises SnapshotError when there is no such snapshot of this kind."""
        return self._row(snapshot)[0]

    def origin(self, snapshot: int) -> int:
        """The snapshot whose layer this one's is, perhaps itself."""
        return self._row(snapshot)[1] or snapshot

    def files(self, snapshot: int) -> bytes:
        """The directory that holds the diff."""
        _, origin, shares = self._row(snapshot)
        return self.directory(origin if shares and origin is not None else snapshot) + b"/fs"

    def _row(self, snapshot: int) -> tuple[int | None, int | None, bool]:
        known = self._known.get(snapshot)
        if known is None:
            rows = self.store.query(
                "SELECT parent, kind, origin, shares FROM snapshot WHERE id = ?", snapshot
            )
            if not rows or rows[0][1] != self.kind:
                raise SnapshotError(
                    f"snapshot {snapshot} is not in the store",
                    help="it was pruned or made by another snapshotter; run the build again",
                )
            known = self._known[snapshot] = (_number(rows[0][0]), _number(rows[0][2]), rows[0][3] == 1)
        return known

    def chain(self, snapshot: int | None) -> list[int]:
        """The snapshot and its ancestors, the oldest first."""
        out: list[int] = []
        while snapshot is not None:
            out.append(snapshot)
            snapshot = self.parent(snapshot)
        out.reverse()
        return out

    def trusted(self, snapshot: int) -> bool:
        """Whether the snapshot and its ancestors are of this kind, have their files, and were made in this
        boot or synced since. It stays so while the process lives if it has leased the snapshot before."""
        seen: list[int] = []
        at: int | None = snapshot
        while at is not None and at not in self._trusted:
            rows = self.store.query(
                "SELECT one.parent, one.kind, one.boot, one.synced, one.origin, one.shares, of.boot, of.synced "
                "FROM snapshot AS one LEFT JOIN snapshot AS of ON of.id = one.origin WHERE one.id = ?",
                at,
            )
            if not rows:
                return False
            parent, kind, boot, synced, origin, shares, *made = rows[0]
            if kind != self.kind or not (boot == self.store.boot or synced):
                return False
            if origin is not None and not (made[0] == self.store.boot or made[1]):
                return False
            if not os.path.isdir(self.directory(int(str(origin)) if shares else at) + b"/fs"):
                return False
            seen.append(at)
            at = _number(parent)
        if self.store.leases("snapshot", str(snapshot)):
            self._trusted.update(seen)
        return True

    def add(
        self, parent: int | None, made: bytes, origin: int | None = None, *, unmatched: bool = False
    ) -> int:
        """Make directory `made`, which holds `fs`, a snapshot; its number. After a crash it is there whole or
        is an orphan that nothing refers to. `unmatched` gives it an identity that no content has."""
        owner = os.path.basename(self.store.work)
        with self.store.transaction() as db:
            snapshot = self._insert(db, owner, parent, origin, shares=False)
            if unmatched:
                identity = f"apart:{os.urandom(16).hex()}"
                db.execute("UPDATE snapshot SET identity = ? WHERE id = ?", (identity, snapshot))
            self._make_room(snapshot)
            os.rename(made, self.directory(snapshot))
        self._known[snapshot] = (parent, origin, False)
        return snapshot

    def share(self, parent: int | None, origin: int) -> int:
        """A snapshot with the files of `origin` over `parent`; its number. One transaction."""
        owner = os.path.basename(self.store.work)
        with self.store.transaction() as db:
            snapshot = self._insert(db, owner, parent, origin, shares=True)
            self._make_room(snapshot)
        self._known[snapshot] = (parent, origin, True)
        return snapshot

    def stacked(self, parent: int | None, origin: int) -> int | None:
        """The earliest trusted snapshot that is `origin`'s diff over `parent`."""
        rows = self.store.query(
            "SELECT id FROM snapshot WHERE origin = ? AND parent IS ? AND kind = ? ORDER BY id",
            origin,
            parent,
            self.kind,
        )
        return self._first_trusted(rows)

    def _insert(
        self, db: sqlite3.Connection, owner: str, parent: int | None, origin: int | None, *, shares: bool
    ) -> int:
        depth = 1
        for needed in (origin, parent):
            if needed is not None:
                row = db.execute("SELECT depth FROM snapshot WHERE id = ? AND kind = ?", (needed, self.kind))
                found = row.fetchone()
                if found is None:
                    raise SnapshotError(f"snapshot {needed} was removed while a step ran on it")
                depth = found[0] + 1 if needed == parent else depth
        snapshot = db.execute(
            "INSERT INTO snapshot (parent, kind, boot, depth, origin, shares) VALUES (?, ?, ?, ?, ?, ?)",
            (parent, self.kind, self.store.boot, depth, origin, shares),
        ).lastrowid
        assert snapshot is not None
        db.execute("INSERT INTO lease VALUES (?, 'made', ?)", (owner, str(snapshot)))
        return snapshot

    def _make_room(self, snapshot: int) -> None:
        """Put away what a commit that died before its row was there has left under this number."""
        try:
            os.rename(self.directory(snapshot), self.room())
        except FileNotFoundError:
            pass

    def identity(self, snapshot: int) -> str | None:
        """The kept identity, None if it was never computed."""
        rows = self.store.query("SELECT identity FROM snapshot WHERE id = ?", snapshot)
        return str(rows[0][0]) if rows and rows[0][0] is not None else None

    def keep_identity(self, snapshot: int, identity: str) -> None:
        with self.store.transaction() as db:
            db.execute("UPDATE snapshot SET identity = ? WHERE id = ?", (identity, snapshot))

    def by_identity(self, identity: str) -> int | None:
        """The earliest trusted snapshot with that identity."""
        rows = self.store.query(
            "SELECT id FROM snapshot WHERE identity = ? AND kind = ? AND origin IS NULL ORDER BY id",
            identity,
            self.kind,
        )
        return self._first_trusted(rows)

    def _first_trusted(self, rows: list[tuple[object, ...]]) -> int | None:
        for (found,) in rows:
            snapshot = _number(found)
            if snapshot is not None and self.trusted(snapshot):
                return snapshot
        return None

    def remove(self, snapshots: Iterable[int]) -> list[int]:
        """Delete snapshots and the records that lead to them; those removed. One that is leased, that another
        process has made and not ended since, or that a snapshot which stays is based on or has its layer from,
        stays, and so do its ancestors."""
        wanted = set(snapshots)
        removed: list[int] = []
        owner = os.path.basename(self.store.work)
        with self.store.transaction() as db:
            leases = "SELECT ref FROM lease WHERE kind = 'snapshot' OR kind = 'made' AND owner != ?"
            leased = {int(row[0]) for row in db.execute(leases, (owner,))}
            highest = db.execute("SELECT max(id) FROM snapshot").fetchone()[0]
            for snapshot in self._latest_first(wanted - leased):
                needed = "SELECT 1 FROM snapshot WHERE parent = ?1 OR origin = ?1"
                if db.execute(needed, (snapshot,)).fetchone() is None:
                    db.execute("DELETE FROM snapshot WHERE id = ?", (snapshot,))
                    removed.append(snapshot)
            _delete_records(db, set(removed))
            if highest in removed:
                db.execute("DELETE FROM snapshot WHERE kind = ?", (REMOVED,))
                db.execute(
                    "INSERT INTO snapshot (id, kind, boot, depth) VALUES (?, ?, '', 0)", (highest, REMOVED)
                )
        if removed:
            self.store.bump()
        self._trusted.difference_update(removed)
        for snapshot in removed:
            self._known.pop(snapshot, None)
        _discard(self, [self.directory(snapshot) for snapshot in removed])
        return removed

    def _latest_first(self, snapshots: set[int]) -> list[int]:
        """Those of this kind, users before what they need: that has a lower number always."""
        rows = self.store.query("SELECT id FROM snapshot WHERE kind = ? ORDER BY id DESC", self.kind)
        return [number for (found,) in rows if (number := _number(found)) in snapshots and number is not None]


def _delete_records(db: sqlite3.Connection, removed: set[int]) -> None:
    """Delete the records that lead to one of `removed`."""
    if removed:
        rows = db.execute("SELECT key, results FROM record").fetchall()
        gone = [
            (key,)
            for key, results in rows
            if not removed.isdisjoint(int(part) for part in results.split(",") if part.isdecimal())
        ]
        db.executemany("DELETE FROM record WHERE key = ?", gone)


def sync_old(store: Store) -> int:
    """Sync the store's file system, then trust the snapshots that were there before beyond this boot; their
    number. Raises OSError when the file system reports a lost write, and trusts nothing then."""
    waiting = store.query(
        "SELECT max(id), count(*) FROM snapshot WHERE boot = ? AND synced = 0 AND kind != ?",
        store.boot,
        REMOVED,
    )
    newest, number = waiting[0]
    if not number or newest is None:
        return 0
    from pybuild.runtime.snapshots.mounts import sync_file_system

    sync_file_system(os.fsencode(store.path("snapshots")))
    with store.transaction() as db:
        done = db.execute(
            "UPDATE snapshot SET synced = 1 WHERE boot = ? AND synced = 0 AND id <= ?", (store.boot, newest)
        )
        return done.rowcount


def sweep_orphans(store: Store) -> list[int]:
    """Delete snapshot directories that no row belongs to; their numbers. Safe beside commits of other
    processes."""
    rows = Rows(store, "")
    orphans: list[int] = []
    taken: list[bytes] = []
    room = os.fsencode(store.work)
    with store.transaction() as db:
        known = {
            int(row[0])
            for row in db.execute("SELECT id FROM snapshot WHERE kind != ?", (REMOVED,)).fetchall()
        }
        for name in os.listdir(store.path("snapshots")):
            if name.isdecimal() and int(name) not in known:
                aside = os.path.join(room, os.urandom(8).hex().encode())
                try:
                    os.rename(rows.directory(int(name)), aside)
                except FileNotFoundError:
                    continue  # its remover was faster
                orphans.append(int(name))
                taken.append(aside)
    _discard(rows, taken)
    return sorted(orphans)


def _discard(rows: Rows, directories: list[bytes]) -> None:
    from pybuild.runtime.snapshots.removal import remove_tree

    for directory in directories:
        aside = rows.room()
        try:
            os.rename(directory, aside)
        except FileNotFoundError:
            continue  # a sweep was faster
        remove_tree(aside)


def _number(value: object) -> int | None:
    assert value is None or isinstance(value, int)
    return value
