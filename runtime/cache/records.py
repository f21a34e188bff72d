"""Cache records: the snapshots that runs produced, by cache key, in the store's database.

A record is found by its key, or by its op and the content that the op read. The content digest of a record is
computed when a later build first needs it, so a first build computes none.
"""

from __future__ import annotations

import time
from hashlib import sha256

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content import snapshot_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.content.labels import Label
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

    Ids = Sequence[int | None]

SIBLINGS = 64
"""The number of other children of a snapshot's parent that `earliest` compares it with at most."""


class Record:
    """A row: the snapshots of a run's inputs and results. An input of -1 was a view, or was not loaded. `op` and
    `content` are "" unless the query read them."""

    __slots__ = ("content", "inputs", "key", "op", "results")

    def __init__(self, key: str, inputs: str, results: str, op: str = "", content: str = "") -> None:
        self.key = key
        self.op = op
        self.content = content
        self.inputs = [-1 if part == "?" else _id(part) for part in inputs.split(",") if part]
        self.results = [_id(part) for part in results.split(",") if part]


class Records:
    """The records of a store. Thread-safe. Snapshots that a method returns are leased: they stay while this process
    lives. A snapshot is trusted if no loss of power can have damaged it."""

    __slots__ = ("_snapshotter", "_store")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter

    @property
    def root(self) -> str:
        """The root of the store."""
        return self._store.root

    def known(self, op: str) -> bool:
        """Report whether the op has any record."""
        return bool(self._store.query("SELECT 1 FROM record WHERE op = ? LIMIT 1", op))

    def read(self, key: str) -> Record | None:
        """Return the record under `key` if all its results exist and are trusted, else None."""
        rows = self._store.query(
            "SELECT key, inputs, results, op, coalesce(content, '') FROM record WHERE key = ?", key
        )
        record = Record(*map(str, rows[0])) if rows else None
        results = None if record is None else self._usable(record)
        if record is None or results is None:
            return None
        record.results = results
        return record

    def latest(self, op: str) -> list[int | None] | None:
        """Return the results of the op's latest record if all exist and are trusted, else None."""
        rows = self._store.query(
            "SELECT key, inputs, results FROM record WHERE op = ? ORDER BY created DESC LIMIT 1", op
        )
        results = Record(*map(str, rows[0])).results if rows else None
        return results if results is not None and self._lease(results) else None

    def lookup(self, key: str) -> list[int | None] | None:
        """Return the results recorded under `key` if all exist and are trusted, else None."""
        rows = self._store.query("SELECT key, inputs, results FROM record WHERE key = ?", key)
        return self._usable(Record(*map(str, rows[0]))) if rows else None

    def find(self, op: str, content: str, digest: Callable[[Record], str | None]) -> list[int | None] | None:
        """Return the usable results of the earliest record of `op` that read `content`, None if there is none.

        `digest` computes the content that a record read, for records without one; None if that is not possible any
        more.
        """
        rows = self._store.query(
            "SELECT key, inputs, results FROM record WHERE op = ? AND content IS NULL", op
        )
        for record in (Record(*map(str, row)) for row in rows):
            if not all(id is None or self._is_there(id) for id in record.results):
                continue
            inputs = self._own(record.inputs)
            if inputs is None and any(self._is_foreign(id) for id in record.inputs):
                continue  # the kind of build that made them can tell what was read
            known = None
            if inputs is not None:
                record.inputs = inputs
                known = digest(record)
            with self._store.transaction() as db:
                # "" matches no content, and the digest is not tried again.
                db.execute("UPDATE record SET content = ? WHERE key = ?", (known or "", record.key))
        rows = self._store.query(
            "SELECT key, inputs, results FROM record WHERE op = ? AND content = ? ORDER BY created",
            op,
            content,
        )
        for row in rows:
            usable = self._usable(Record(*map(str, row)))
            if usable is not None:
                return usable
        return None

    def save(
        self,
        key: str,
        op: str,
        inputs: Sequence[int | None],
        results: Ids,
        content: str | None,
        labels: Sequence[Label] = (),
    ) -> None:
        """Record the results of a run under `key`, replacing an earlier record. `labels` describe the results, for
        disk usage."""
        with self._store.transaction() as db:
            for snapshot, label in zip(results, labels, strict=False):
                if snapshot is not None:
                    label.write(db, snapshot)
            db.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                (key, op, _text(results), _text(inputs), content, time.time()),
            )

    def replace(self, snapshot: int, earlier: int) -> None:
        """Replace `snapshot` by `earlier` in the results of all records."""
        # Commas on both sides, so that 2 does not match within 12.
        pattern = f"%,{snapshot},%"
        rows = self._store.query(
            "SELECT key, results FROM record WHERE ',' || results || ',' LIKE ?", pattern
        )
        with self._store.transaction() as db:
            for key, results in rows:
                parts = [str(earlier) if part == str(snapshot) else part for part in str(results).split(",")]
                db.execute("UPDATE record SET results = ? WHERE key = ?", (",".join(parts), key))

    def earliest(self, snapshot: int) -> int:
        """Return the earliest trusted snapshot with the same parent and the same content, perhaps `snapshot` itself.

        Digests are computed only for snapshots whose diffs list the same entries. A snapshot with an origin is left
        as it is, as its content is that of the origin.
        """
        others = snapshot_table.earlier_siblings(self._store, snapshot, SIBLINGS)
        return min((other for other in others if self._same(snapshot, other)), default=snapshot)

    def _same(self, snapshot: int, other: int) -> bool:
        """Report whether another snapshot is trusted and has the same content. It is not leased, so it may be removed
        at any moment, which counts as a difference."""
        snapshotter = self._snapshotter
        if not snapshotter.trusted(other):
            return False
        try:
            if not _same_shape(snapshotter, snapshot, other):
                return False
            identity = snapshotter.identity(other)
        except (OSError, UserError):
            if snapshotter.trusted(other):
                raise  # it still exists, so its removal was not the cause
            return False
        return identity == snapshotter.identity(snapshot)

    def first_of(self, snapshot: int | None) -> int | None:
        """Return the number by which records tell states apart: of snapshots of several kinds that are one state, the
        lowest."""
        if snapshot is None:
            return None
        rows = self._store.query("SELECT min(twin) FROM twin WHERE snapshot = ?", snapshot)
        twin = snapshot_table.number(rows[0][0])
        return snapshot if twin is None else min(snapshot, twin)

    def hold(self, snapshot: int) -> bool:
        """Lease a snapshot and report whether it exists and is trusted."""
        return self._lease([snapshot])

    def _own(self, snapshots: Ids) -> list[int | None] | None:
        """Lease snapshots and return them, each in place of one of another kind of snapshotter the same state of this
        one. None if one does not exist or is not trusted."""
        if self._lease(snapshots):
            return list(snapshots)
        from pybuild.runtime.image.twins import usable

        own: list[int | None] = []
        for id in snapshots:
            twin = id if id is None or id < 0 else usable(self._store, self._snapshotter, id)
            if twin is None and id is not None:
                return None
            own.append(twin)
        return own

    def _is_foreign(self, snapshot: int | None) -> bool:
        from pybuild.runtime.image.twins import foreign

        return snapshot is not None and snapshot >= 0 and foreign(self._store, self._snapshotter, snapshot)

    def _is_there(self, snapshot: int) -> bool:
        return self._snapshotter.trusted(snapshot) or self._is_foreign(snapshot)

    def _lease(self, snapshots: Ids) -> bool:
        """Lease snapshots and report whether all exist and are trusted."""
        ids = [id for id in snapshots if id is not None and id >= 0]
        # Before the check: what exists under a lease can't be removed any more.
        self._store.lease("snapshot", *map(str, ids))
        return all(self._snapshotter.trusted(id) for id in ids)

    def _usable(self, record: Record) -> list[int | None] | None:
        return self._own(record.results)


def digest_of(*parts: str) -> str:
    """Return the digest of a list of texts. Each goes in with its length, so no two lists are encoded alike."""
    state = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        state.update(b"%d:" % len(data))
        state.update(data)
    return "sha256:" + state.hexdigest()


def _same_shape(snapshotter: Snapshotter, one: int, other: int) -> bool:
    """Report whether two diffs list the same entries: kinds, paths, modes, owners, sizes."""
    from itertools import zip_longest

    for a, b in zip_longest(snapshotter.changes(one), snapshotter.changes(other)):
        if a is None or b is None or a.kind != b.kind or a.path != b.path:
            return False
        if a.node is not None and b.node is not None:
            x, y = a.node.stat, b.node.stat
            if (x.st_mode, x.st_uid, x.st_gid, x.st_rdev) != (y.st_mode, y.st_uid, y.st_gid, y.st_rdev):
                return False
            if x.st_mode & 0o170000 == 0o100000 and x.st_size != y.st_size:
                return False
    return True


def _id(text: str) -> int | None:
    return None if text == "-" else int(text)


def _text(ids: Ids) -> str:
    return ",".join("-" if id is None else "?" if id < 0 else str(id) for id in ids)
