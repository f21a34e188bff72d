"""Records of what was run: cache keys to snapshots, in the store's database.

A record is found by its key, or by its op and the content of what the op read. The content digest of a record
is computed when a later build first asks for it, so a first build pays for none.
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
"""At most this many other children of a snapshot's parent are compared with it by `earliest`."""


class Record:
    """A row: the snapshots it ran on and made. An input of -1 was a view of something outside. `op` and `content` are
    there where they were read too."""

    __slots__ = ("content", "inputs", "key", "op", "results")

    def __init__(self, key: str, inputs: str, results: str, op: str = "", content: str = "") -> None:
        self.key = key
        self.op = op
        self.content = content
        self.inputs = [-1 if part == "?" else _id(part) for part in inputs.split(",") if part]
        self.results = [_id(part) for part in results.split(",") if part]


class Records:
    __slots__ = ("_snapshotter", "_store")

    def __init__(self, store: Store, snapshotter: Snapshotter) -> None:
        self._store = store
        self._snapshotter = snapshotter

    def known(self, op: str) -> bool:
        """Whether the op has any record."""
        return bool(self._store.query("SELECT 1 FROM record WHERE op = ? LIMIT 1", op))

    def read(self, key: str) -> Record | None:
        """The record under `key`, if every result is there and trusted; leased."""
        rows = self._store.query(
            "SELECT key, inputs, results, op, coalesce(content, '') FROM record WHERE key = ?", key
        )
        record = Record(*map(str, rows[0])) if rows else None
        return record if record is not None and self._usable(record) is not None else None

    def latest(self, op: str) -> list[int | None] | None:
        """The snapshots that the op made last, if they are there and trusted; leased."""
        rows = self._store.query(
            "SELECT key, inputs, results FROM record WHERE op = ? ORDER BY created DESC LIMIT 1", op
        )
        return self._usable(Record(*map(str, rows[0]))) if rows else None

    def lookup(self, key: str) -> list[int | None] | None:
        """The snapshots recorded under `key`, if every one is there and trusted; leased."""
        rows = self._store.query("SELECT key, inputs, results FROM record WHERE key = ?", key)
        return self._usable(Record(*map(str, rows[0]))) if rows else None

    def find(self, op: str, content: str, digest: Callable[[Record], str | None]) -> list[int | None] | None:
        """The snapshots of a record of `op` that read `content`; leased. `digest` computes what a record read (None:
        it can't be told any more) for those of which that is not known."""
        rows = self._store.query(
            "SELECT key, inputs, results FROM record WHERE op = ? AND content IS NULL", op
        )
        for record in (Record(*map(str, row)) for row in rows):
            if not all(one is None or self._snapshotter.trusted(one) for one in record.results):
                continue
            found = digest(record) if self._there(record.inputs) else None
            with self._store.transaction() as db:
                db.execute("UPDATE record SET content = ? WHERE key = ?", (found or "", record.key))
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
        """Record, replacing what was under `key`; `labels` tell what the results are."""
        with self._store.transaction() as db:
            for snapshot, label in zip(results, labels, strict=False):
                if snapshot is not None:
                    label.write(db, snapshot)
            db.execute(
                "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?)",
                (key, op, _text(results), _text(inputs), content, time.time()),
            )

    def replace(self, snapshot: int, earlier: int) -> None:
        """Let every record that leads to `snapshot` lead to `earlier`."""
        pattern = f"%,{snapshot},%"
        rows = self._store.query(
            "SELECT key, results FROM record WHERE ',' || results || ',' LIKE ?", pattern
        )
        with self._store.transaction() as db:
            for key, results in rows:
                parts = [str(earlier) if part == str(snapshot) else part for part in str(results).split(",")]
                db.execute("UPDATE record SET results = ? WHERE key = ?", (",".join(parts), key))

    def earliest(self, snapshot: int) -> int:
        """The earliest trusted snapshot with the same parent and the same content, perhaps itself.

        Digests are computed only for those whose diffs list the same entries. One that has its layer from
        another is left as it is: its bytes are known by that.
        """
        others = snapshot_table.earlier_siblings(self._store, snapshot, SIBLINGS)
        return min((other for other in others if self._same(snapshot, other)), default=snapshot)

    def _same(self, snapshot: int, other: int) -> bool:
        """Whether another snapshot is trusted and has the same content. It is not leased: it may be removed at any
        moment, and is another then."""
        snapshotter = self._snapshotter
        if not snapshotter.trusted(other):
            return False
        try:
            if not _same_shape(snapshotter, snapshot, other):
                return False
            identity = snapshotter.identity(other)
        except (OSError, UserError):
            if snapshotter.trusted(other):
                raise
            return False
        return identity == snapshotter.identity(snapshot)

    def hold(self, snapshot: int) -> bool:
        """Lease a snapshot; whether it is there and trusted, and so stays while this process lives."""
        return self._there([snapshot])

    def _there(self, snapshots: Ids) -> bool:
        """Whether all of them are in the store, and stay there while this process lives."""
        numbers = [one for one in snapshots if one is not None and one >= 0]
        self._store.lease("snapshot", *map(str, numbers))
        return all(self._snapshotter.trusted(one) for one in numbers)

    def _usable(self, record: Record) -> list[int | None] | None:
        return record.results if self._there(record.results) else None


def digest_of(*parts: str) -> str:
    """A key made of parts, each of any text."""
    state = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        state.update(b"%d:" % len(data))
        state.update(data)
    return "sha256:" + state.hexdigest()


def _same_shape(snapshotter: Snapshotter, one: int, other: int) -> bool:
    """Whether two diffs list the same entries: kinds, paths, modes, owners, sizes."""
    from itertools import zip_longest

    for a, b in zip_longest(snapshotter.changes(one), snapshotter.changes(other)):
        if a is None or b is None or a.kind != b.kind or a.path != b.path:
            return False
        if a.stat is not None and b.stat is not None:
            x, y = a.stat, b.stat
            if (x.st_mode, x.st_uid, x.st_gid, x.st_rdev) != (y.st_mode, y.st_uid, y.st_gid, y.st_rdev):
                return False
            if x.st_mode & 0o170000 == 0o100000 and x.st_size != y.st_size:
                return False
    return True


def _id(text: str) -> int | None:
    return None if text == "-" else int(text)


def _text(ids: Ids) -> str:
    return ",".join("-" if one is None else "?" if one < 0 else str(one) for one in ids)
