"""Every SQL statement on the `snapshot` table of the record database (`schema.py`).

Reading functions take the store; functions that write, or that must see the state a transaction works on, take its
connection (`with store.transaction() as db`). A snapshot's number is its row's id.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from pybuild.runtime.content.store import Store

REMOVED = "removed"
"""Kind of the row that keeps the highest number ever given, once its snapshot is gone: SQLite would give the number
again, and a record elsewhere may still name it."""

_WITH_ANCESTORS = (
    "WITH RECURSIVE above(id) AS (SELECT ? UNION ALL SELECT parent FROM snapshot JOIN above USING (id) "
    "WHERE parent IS NOT NULL) SELECT id FROM above"
)


class Row:
    """A snapshot's row. `origin` is the snapshot whose diff it repeats, if any, and `shares` tells that it has the
    origin's files. `lasting`: it and its origin were made in this boot or synced since."""

    __slots__ = ("kind", "lasting", "origin", "parent", "shares")

    def __init__(
        self, kind: str, parent: int | None, origin: int | None, shares: bool, lasting: bool
    ) -> None:
        self.kind = kind
        self.parent = parent
        self.origin = origin
        self.shares = shares
        self.lasting = lasting


class UsageRow:
    """A snapshot's row joined with its usage. `size` is in bytes, None if not measured; times are seconds since the
    epoch."""

    __slots__ = (
        "created", "description", "id", "origin", "parent", "shares", "size", "type", "used", "uses",
    )  # fmt: skip

    def __init__(self, columns: tuple[object, ...]) -> None:
        id, parent, origin, shares, created, type, description, used, uses, size = columns
        self.id = int(str(id))
        self.parent = number(parent)
        self.origin = number(origin)
        self.shares = bool(shares)
        self.created = float(str(created))
        self.type = str(type or "")
        self.description = str(description or "")
        self.used = None if used is None else float(str(used))
        self.uses = number(uses) or 0
        self.size = number(size)


# One snapshot


def find(store: Store, snapshot: int) -> Row | None:
    """The row of a snapshot; None if there is none."""
    rows = store.query(
        "SELECT one.kind, one.parent, one.origin, one.shares, one.boot, one.synced, source.boot, source.synced "
        "FROM snapshot AS one LEFT JOIN snapshot AS source ON source.id = one.origin WHERE one.id = ?",
        snapshot,
    )
    if not rows:
        return None
    kind, parent, origin, shares, boot, synced, source_boot, source_synced = rows[0]
    lasting = boot == store.boot or bool(synced)
    if origin is not None:
        lasting = lasting and (source_boot == store.boot or bool(source_synced))
    return Row(str(kind), number(parent), number(origin), bool(shares), lasting)


def fingerprint(store: Store, snapshot: int) -> tuple[object, ...] | None:
    """The columns that tell one snapshot from another of the same number, made after the store was emptied; None if
    there is no such snapshot."""
    rows = store.query("SELECT id, created, parent, depth, boot FROM snapshot WHERE id = ?", snapshot)
    return rows[0] if rows else None


def created(store: Store, snapshot: int) -> tuple[int, str] | None:
    """The time a snapshot was made at, in seconds since the epoch, and the description of what made it; None if
    there is no such snapshot."""
    rows = store.query(
        "SELECT created, description FROM snapshot LEFT JOIN usage ON snapshot = id WHERE id = ?", snapshot
    )
    return (int(str(rows[0][0])), str(rows[0][1] or "")) if rows else None


def identity(store: Store, snapshot: int) -> str | None:
    """The kept identity of a snapshot, None if it was never computed."""
    rows = store.query("SELECT identity FROM snapshot WHERE id = ?", snapshot)
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


# Several snapshots


def with_identity(store: Store, kind: str, identity: str) -> list[int]:
    """Snapshots with an identity and a diff of their own, the earliest first."""
    return _numbers(
        store.query(
            "SELECT id FROM snapshot WHERE identity = ? AND kind = ? AND origin IS NULL ORDER BY id",
            identity,
            kind,
        )
    )


def stacked(store: Store, kind: str, parent: int | None, origin: int) -> list[int]:
    """Snapshots that are the diff of `origin` over `parent`, the earliest first."""
    return _numbers(
        store.query(
            "SELECT id FROM snapshot WHERE origin = ? AND parent IS ? AND kind = ? ORDER BY id",
            origin,
            parent,
            kind,
        )
    )


def earlier_siblings(store: Store, snapshot: int, limit: int) -> list[int]:
    """Up to `limit` snapshots of the same kind and parent with lower numbers, the latest first. Snapshots with the
    diff of another are left out; so is everything for a `snapshot` that has one."""
    return _numbers(
        store.query(
            "SELECT other.id FROM snapshot AS one JOIN snapshot AS other ON other.parent IS one.parent "
            "WHERE one.id = ? AND other.id < one.id AND other.kind = one.kind "
            "AND one.origin IS NULL AND other.origin IS NULL ORDER BY other.id DESC LIMIT ?",
            snapshot,
            limit,
        )
    )


def latest_first(store: Store, kind: str) -> list[int]:
    """All snapshots of a kind, children before parents (a parent's number is always lower)."""
    return _numbers(store.query("SELECT id FROM snapshot WHERE kind = ? ORDER BY id DESC", kind))


def kinds(store: Store) -> set[str]:
    """The kinds of the snapshots in the store."""
    rows = store.query("SELECT DISTINCT kind FROM snapshot WHERE kind != ?", REMOVED)
    return {str(row[0]) for row in rows}


def with_usage(store: Store) -> list[UsageRow]:
    """All snapshots with their usage, children before parents."""
    rows = store.query(
        "SELECT id, parent, origin, shares, created, type, description, used, uses, size FROM snapshot "
        "LEFT JOIN usage ON snapshot = id WHERE kind != ? ORDER BY id DESC",
        REMOVED,
    )
    return [UsageRow(row) for row in rows]


def newest_unsynced(store: Store) -> int | None:
    """The latest snapshot of this boot that is not known to be on the disk; None if all are."""
    rows = store.query(
        "SELECT max(id) FROM snapshot WHERE boot = ? AND synced = 0 AND kind != ?", store.boot, REMOVED
    )
    return number(rows[0][0])


def has_unsynced(store: Store, before: int) -> bool:
    """Report whether a snapshot of this boot that was made before a time (seconds since the epoch) is not known to
    be on the disk."""
    rows = store.query(
        "SELECT 1 FROM snapshot WHERE boot = ? AND synced = 0 AND created < ? LIMIT 1", store.boot, before
    )
    return bool(rows)


def present(db: sqlite3.Connection) -> set[int]:
    """The numbers of all snapshots."""
    return set(_numbers(db.execute("SELECT id FROM snapshot WHERE kind != ?", (REMOVED,)).fetchall()))


# Changes


def insert(
    db: sqlite3.Connection,
    kind: str,
    boot: str,
    depth: int,
    parent: int | None,
    origin: int | None,
    shares: bool,
) -> int:
    """Add a snapshot and return its number."""
    snapshot = db.execute(
        "INSERT INTO snapshot (parent, kind, boot, depth, origin, shares) VALUES (?, ?, ?, ?, ?, ?)",
        (parent, kind, boot, depth, origin, shares),
    ).lastrowid
    assert snapshot is not None
    return snapshot


def depth(db: sqlite3.Connection, kind: str, snapshot: int) -> int | None:
    """The length of a snapshot's chain, itself included; None if there is no such snapshot of this kind."""
    row = db.execute("SELECT depth FROM snapshot WHERE id = ? AND kind = ?", (snapshot, kind)).fetchone()
    return None if row is None else int(row[0])


def keep_identity(db: sqlite3.Connection, snapshot: int, identity: str) -> None:
    """Keep the identity of a snapshot: the digest of its parent's identity and of its diff."""
    db.execute("UPDATE snapshot SET identity = ? WHERE id = ?", (identity, snapshot))


def mark_synced(db: sqlite3.Connection, boot: str, newest: int) -> int:
    """Note that the snapshots of a boot up to `newest` are on the disk. Returns how many were not known to be."""
    return db.execute(
        "UPDATE snapshot SET synced = 1 WHERE boot = ? AND synced = 0 AND id <= ?", (boot, newest)
    ).rowcount


def delete_unneeded(db: sqlite3.Connection, snapshots: Iterable[int]) -> list[int]:
    """Delete the snapshots in `snapshots` (children before parents) that no remaining one has as parent or origin,
    and return them. The highest number ever given stays taken."""
    deleted: list[int] = []
    highest = db.execute("SELECT max(id) FROM snapshot").fetchone()[0]
    for snapshot in snapshots:
        needed = db.execute("SELECT 1 FROM snapshot WHERE parent = ?1 OR origin = ?1", (snapshot,))
        if needed.fetchone() is None:
            db.execute("DELETE FROM snapshot WHERE id = ?", (snapshot,))
            deleted.append(snapshot)
    if highest in deleted:
        db.execute("DELETE FROM snapshot WHERE kind = ?", (REMOVED,))
        db.execute("INSERT INTO snapshot (id, kind, boot, depth) VALUES (?, ?, '', 0)", (highest, REMOVED))
    return deleted


# Usage. A snapshot may be removed at any time, so its usage is written only if its row is still there.


def describe(
    db: sqlite3.Connection, snapshot: int, type: str, description: str, *, ancestors: bool = False
) -> None:
    """Set the record type and the description of a snapshot, and of its ancestors, unless they have a description
    already."""
    db.execute(
        "INSERT INTO usage (snapshot, type, description) SELECT id, ?, ? FROM snapshot WHERE id IN "
        f"({_WITH_ANCESTORS if ancestors else 'SELECT ?'}) ON CONFLICT (snapshot) DO UPDATE "
        "SET type = excluded.type, description = excluded.description WHERE description = ''",
        (type, description, snapshot),
    )


def describe_as(db: sqlite3.Connection, snapshot: int, other: int) -> None:
    """Give a snapshot the record type and the description of another, unless it has some already."""
    db.execute(
        "INSERT OR IGNORE INTO usage (snapshot, type, description) "
        "SELECT ?, type, description FROM usage WHERE snapshot = ?",
        (snapshot, other),
    )


def count_uses(db: sqlite3.Connection, owner: str) -> None:
    """Count one use, ending at this moment, of every snapshot that a process has leased."""
    db.execute(
        "INSERT INTO usage (snapshot, used, uses) "
        "SELECT id, CAST(strftime('%s', 'now') AS REAL), 1 FROM snapshot WHERE id IN "
        "(SELECT CAST(ref AS INTEGER) FROM lease WHERE owner = ? AND kind IN ('snapshot', 'made')) "
        "ON CONFLICT (snapshot) DO UPDATE SET used = excluded.used, uses = uses + 1",
        (owner,),
    )


def keep_size(db: sqlite3.Connection, snapshot: int, size: int) -> None:
    """Keep the measured size of a snapshot's directory, in bytes."""
    db.execute(
        "INSERT INTO usage (snapshot, size) SELECT id, ? FROM snapshot WHERE id = ? "
        "ON CONFLICT (snapshot) DO UPDATE SET size = excluded.size",
        (size, snapshot),
    )


def number(value: object) -> int | None:
    """A column that holds an integer or NULL."""
    assert value is None or isinstance(value, int)
    return value


def _numbers(rows: Iterable[tuple[object, ...]]) -> list[int]:
    return [int(str(row[0])) for row in rows]
