"""The committed snapshots of one kind: rows of the record database beside directories `snapshots/ID`.

    snapshots/ID/fs           the diff, or the whole tree of a plain snapshot
    snapshots/ID/flat-BOOT    the whole state, where a chain got too long to be mounted (`flatten.py`)
    snapshots/ID/linked       numbers of snapshots that files here may be hard links into (`hardlinks.py`)
    snapshots/ID/deleted      deletions of a diff that has no parent to delete them from (`stacking.py`)
    snapshots/ID/copied       when a plain snapshot's parent was copied (`copying.py`)
    snapshots/empty           an empty directory

A snapshot with an *origin* is the origin's diff laid over another parent: the layer is the origin's, and so are
the files if it *shares* them; then it has no directory of its own. An origin has none itself, and stays while
another snapshot refers to it.

A directory gets its name inside the transaction that adds its row, so while a process holds the database's
write lock every directory without a row is an orphan. A number is never given twice.
"""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content import snapshot_table
from pybuild.runtime.snapshots.digests import diff_identity, empty_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

    from pybuild.runtime.content.snapshot_table import Row
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Change, Node

    Cancel = Callable[[], bool] | None


class SnapshotError(UserError):
    """A snapshot can't be made, found or mounted."""


def files_missing(snapshot: int) -> SnapshotError:
    """The error for a snapshot whose row is there and whose files are not."""
    return SnapshotError(
        f"the files of snapshot {snapshot} are gone from the store",
        help="something outside deleted them; run the build again with --no-cache, or remove the store",
    )


class CommittedSnapshots:
    """The snapshots of `kind`: rows and directories. Thread-safe."""

    __slots__ = ("_known", "_required", "_trusted", "base", "kind", "store")

    def __init__(self, store: Store, kind: str, *, files: bytes = b"fs") -> None:
        """`files` is the name of what every snapshot directory has."""
        self.store = store
        self._required = b"/" + files
        self.base = os.fsencode(store.path("snapshots"))
        self.kind = kind
        self._known: dict[int, tuple[int | None, int | None, bool]] = {}
        self._trusted: set[int] = set()

    def directory(self, snapshot: int) -> bytes:
        """The path `snapshots/ID`, which need not exist."""
        return b"%b/%d" % (self.base, snapshot)

    def empty(self) -> bytes:
        """The path of an empty directory, mode 0755, made if missing."""
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
                os.rmdir(temporary)  # another process was faster
        return path

    def room(self) -> bytes:
        """A fresh path in this process's work directory; nothing is there yet."""
        return os.fsencode(os.path.join(self.store.work, os.urandom(8).hex()))

    def parent(self, snapshot: int) -> int | None:
        """The snapshot beneath. Raises SnapshotError when there is no such snapshot of this kind."""
        return self._links(snapshot)[0]

    def origin(self, snapshot: int) -> int:
        """The snapshot whose layer this one's is, perhaps itself. Raises as `parent`."""
        return self._links(snapshot)[1] or snapshot

    def files(self, snapshot: int) -> bytes:
        """The directory that holds the diff: the snapshot's own or its origin's. Raises as `parent`."""
        _, origin, shares = self._links(snapshot)
        return self.directory(origin if shares and origin is not None else snapshot) + b"/fs"

    def _links(self, snapshot: int) -> tuple[int | None, int | None, bool]:
        """Parent, origin, and whether the origin's files are shared. Kept: these columns never change."""
        links = self._known.get(snapshot)
        if links is None:
            row = snapshot_table.find(self.store, snapshot)
            if row is None or row.kind != self.kind:
                raise SnapshotError(
                    f"snapshot {snapshot} is not in the store",
                    help="it was pruned or made by another snapshotter; run the build again",
                )
            links = self._known[snapshot] = (row.parent, row.origin, row.shares)
        return links

    def chain(self, snapshot: int | None) -> list[int]:
        """The snapshot and its ancestors, the oldest first. Raises as `parent`."""
        chain: list[int] = []
        while snapshot is not None:
            chain.append(snapshot)
            snapshot = self.parent(snapshot)
        chain.reverse()
        return chain

    def trusted(self, snapshot: int) -> bool:
        """Report whether the snapshot and its ancestors are of this kind, have their files, and were made in this
        boot or synced since. The answer is kept if this process has leased the snapshot: it stays true then."""
        checked: list[int] = []
        at: int | None = snapshot
        while at is not None and at not in self._trusted:
            row = snapshot_table.find(self.store, at)
            if row is None or not self._is_sound(at, row):
                return False
            checked.append(at)
            at = row.parent
        if self.store.leases("snapshot", str(snapshot)):
            self._trusted.update(checked)
        return True

    def _is_sound(self, snapshot: int, row: Row) -> bool:
        if row.kind != self.kind or not row.lasting:
            return False
        holder = row.origin if row.shares and row.origin is not None else snapshot
        return os.path.exists(self.directory(holder) + self._required)

    def add(
        self, parent: int | None, made: bytes, origin: int | None = None, *, unmatched: bool = False
    ) -> int:
        """Make directory `made`, which holds `fs`, a snapshot and return its number. After a crash it is there
        whole or is an orphan that nothing refers to. `unmatched` gives it an identity that no content has. Raises
        SnapshotError if parent or origin was removed meanwhile."""
        owner = self._owner()
        with self.store.transaction() as db:
            snapshot = self._insert(db, owner, parent, origin, shares=False)
            if unmatched:
                snapshot_table.keep_identity(db, snapshot, f"apart:{os.urandom(16).hex()}")
            self._make_room(snapshot)
            os.rename(made, self.directory(snapshot))
        self._known[snapshot] = (parent, origin, False)
        return snapshot

    def share(self, parent: int | None, origin: int) -> int:
        """Add a snapshot with the files of `origin` over `parent`, in one transaction, and return its number.
        Raises as `add`."""
        owner = self._owner()
        with self.store.transaction() as db:
            snapshot = self._insert(db, owner, parent, origin, shares=True)
            self._make_room(snapshot)
        self._known[snapshot] = (parent, origin, True)
        return snapshot

    def stacked(self, parent: int | None, origin: int) -> int | None:
        """The earliest trusted snapshot that is `origin`'s diff over `parent`."""
        return self._first_trusted(snapshot_table.stacked(self.store, self.kind, parent, origin))

    def _owner(self) -> str:
        """The name under which this process holds leases. Call it before a transaction: see `Store.work`."""
        return os.path.basename(self.store.work)

    def _insert(
        self, db: sqlite3.Connection, owner: str, parent: int | None, origin: int | None, *, shares: bool
    ) -> int:
        depth = 1
        for needed in (origin, parent):
            if needed is not None:
                beneath = snapshot_table.depth(db, self.kind, needed)
                if beneath is None:
                    raise SnapshotError(f"snapshot {needed} was removed while a step ran on it")
                depth = beneath + 1 if needed == parent else depth
        snapshot = snapshot_table.insert(db, self.kind, self.store.boot, depth, parent, origin, shares)
        # Leased in the same transaction: otherwise another process could prune it before anyone refers to it.
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
        return snapshot_table.identity(self.store, snapshot)

    def keep_identity(self, snapshot: int, identity: str) -> None:
        with self.store.transaction() as db:
            snapshot_table.keep_identity(db, snapshot, identity)

    def by_identity(self, identity: str) -> int | None:
        """The earliest trusted snapshot with that identity."""
        return self._first_trusted(snapshot_table.with_identity(self.store, self.kind, identity))

    def _first_trusted(self, snapshots: Iterable[int]) -> int | None:
        return next((snapshot for snapshot in snapshots if self.trusted(snapshot)), None)

    def remove(self, snapshots: Iterable[int]) -> list[int]:
        """Delete snapshots, their files and the cache records that lead to them; return the deleted snapshots.

        A snapshot stays if it is leased, if another living process has made it, or if a snapshot that stays has it
        as parent or origin."""
        wanted = set(snapshots)
        owner = self._owner()
        with self.store.transaction() as db:
            candidates = wanted - _leased(db, owner)
            # In order, children first: a parent is free to go only once its children are gone.
            ordered = [one for one in snapshot_table.latest_first(self.store, self.kind) if one in candidates]
            removed = snapshot_table.delete_unneeded(db, ordered)
            _delete_records(db, set(removed))
        if removed:
            self.store.bump()
        self._trusted.difference_update(removed)
        for snapshot in removed:
            self._known.pop(snapshot, None)
        _discard(self, [self.directory(snapshot) for snapshot in removed])
        return removed


def _leased(db: sqlite3.Connection, owner: str) -> set[int]:
    """The snapshots that may not be removed by `owner`: leased by any process, or made by another one."""
    leases = "SELECT ref FROM lease WHERE kind = 'snapshot' OR kind = 'made' AND owner != ?"
    return {int(row[0]) for row in db.execute(leases, (owner,))}


def _delete_records(db: sqlite3.Connection, removed: set[int]) -> None:
    """Delete the cache records that lead to one of `removed`."""
    if removed:
        records = db.execute("SELECT key, results FROM record").fetchall()
        gone = [
            (key,)
            for key, results in records
            if not removed.isdisjoint(int(part) for part in results.split(",") if part.isdecimal())
        ]
        db.executemany("DELETE FROM record WHERE key = ?", gone)


def sweep_orphans(store: Store) -> list[int]:
    """Delete snapshot directories that no row belongs to, and return their numbers. Safe beside commits of other
    processes."""
    snapshots = CommittedSnapshots(store, "")
    orphans: list[int] = []
    taken: list[bytes] = []
    # The work directory is made before the transaction: see `Store.work`.
    room = os.fsencode(store.work)
    with store.transaction() as db:
        present = snapshot_table.present(db)
        for name in os.listdir(store.path("snapshots")):
            if name.isdecimal() and int(name) not in present:
                aside = os.path.join(room, os.urandom(8).hex().encode())
                try:
                    os.rename(snapshots.directory(int(name)), aside)
                except FileNotFoundError:
                    continue  # its remover was faster
                orphans.append(int(name))
                taken.append(aside)
    _discard(snapshots, taken)
    return sorted(orphans)


def _discard(snapshots: CommittedSnapshots, directories: list[bytes]) -> None:
    """Delete directories, each under another name: a directory that is half deleted is no snapshot's."""
    from pybuild.runtime.snapshots.removal import remove_tree

    for directory in directories:
        aside = snapshots.room()
        try:
            os.rename(directory, aside)
        except FileNotFoundError:
            continue  # a sweep was faster
        remove_tree(aside)


class CommittedSnapshotter(ABC):
    """The part of a snapshotter that is the same for all kinds: chains, layers, identities, and what a merge or a
    difference finds without laying anything. The contract of its methods is that of `types.Snapshotter`."""

    __slots__ = ("committed",)

    def __init__(self, committed: CommittedSnapshots) -> None:
        self.committed = committed

    def close(self) -> None:  # noqa: B027 - most kinds have no work in the background
        """Do nothing."""

    def changes(self, snapshot: int) -> Iterator[Change]:
        return self._changes(snapshot, times=True)

    def chain(self, snapshot: int | None) -> list[int]:
        return self.committed.chain(snapshot)

    def layers(self, snapshot: int | None) -> list[int]:
        return [self.committed.origin(each) for each in self.committed.chain(snapshot)]

    def stack(self, parent: int | None, layer: int, cancelled: Cancel = None) -> int:
        snapshots = self.committed
        origin = snapshots.origin(layer)
        if snapshots.parent(origin) == parent:
            return origin
        known = snapshots.stacked(parent, origin)
        if known is not None:
            # Leased before it is looked at again: it may be pruned between the two.
            snapshots.store.lease("snapshot", str(known))
            if self.trusted(known):
                return known
        return self._lay_over(parent, origin, cancelled)

    def difference(self, lower: int | None, upper: int | None, cancelled: Cancel = None) -> int | None:
        if lower == upper:
            return None
        below, above = self.layers(lower), self.layers(upper)
        # `upper` was built on `lower`: the layers in between are the difference as they are.
        if above[: len(below)] == below and upper is not None:
            at: int | None = None
            for layer in above[len(below) :]:
                at = self.stack(at, layer, cancelled)
            return at
        return self._lay_difference(lower, upper, cancelled)

    def identity(self, snapshot: int | None) -> str:
        # Without recursion: a chain may be longer than the interpreter's stack.
        value = empty_identity()
        pending: list[int] = []
        while snapshot is not None:
            known = self.committed.identity(snapshot)
            if known is not None:
                value = known
                break
            pending.append(snapshot)
            snapshot = self.committed.parent(snapshot)
        for each in reversed(pending):
            value = diff_identity(value, self._top(each), self._changes(each, times=False))
            self.committed.keep_identity(each, value)
        return value

    def by_identity(self, identity: str) -> int | None:
        return self.committed.by_identity(identity)

    def trusted(self, snapshot: int) -> bool:
        return self.committed.trusted(snapshot)

    def remove(self, snapshots: Iterable[int]) -> list[int]:
        return self.committed.remove(snapshots)

    def sync_old(self) -> int:
        from pybuild.runtime.snapshots.syncing import sync_old

        return sync_old(self.committed.store)

    @abstractmethod
    def _top(self, snapshot: int) -> Node:
        """Return the root directory of a snapshot's diff."""

    @abstractmethod
    def _changes(self, snapshot: int, *, times: bool) -> Iterator[Change]:
        """Yield the diff of a snapshot against its parent; without `times` a directory that only its time tells from
        the parent's is no change."""

    @abstractmethod
    def _lay_over(self, parent: int | None, origin: int, cancelled: Cancel) -> int:
        """Lay the diff of `origin` over `parent` as a snapshot, which has that origin."""

    @abstractmethod
    def _lay_difference(self, lower: int | None, upper: int | None, cancelled: Cancel) -> int:
        """Make a snapshot over the empty root whose diff turns `lower` into `upper`."""
