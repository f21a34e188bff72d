"""Disk usage: the content of the store as records that can be listed and pruned one by one.

A record is a snapshot with the blobs that its layer was pulled or exported as, a directory that outlives builds
(`runtime.content.directories`), a blob that belongs to no snapshot, or the part of a blob that an unfinished
transfer has fetched. Nothing is counted twice: the sizes add up to what the store takes.
"""

from __future__ import annotations

import os
from hashlib import sha256

from attrs import evolve, frozen

from pybuild.runtime.content import snapshot_table
from pybuild.runtime.content.directories import directories, in_use, is_locked, keep_size
from pybuild.runtime.content.labels import CACHE_MOUNT, INTERNAL, REGULAR
from pybuild.runtime.content.reachable import reachable
from pybuild.runtime.usage.sizes import tree_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pybuild.runtime.content.directories import Directory
    from pybuild.runtime.content.store import Store

SNAPSHOT, DIRECTORY, BLOB, PART = "snapshot", "directory", "blob", "part"


@frozen
class UsageRecord:
    """A record of disk usage. `id`, `type`, `description`, `mutable`, `in_use`, `shared` and `parents` mean what
    they mean in BuildKit's UsageRecord.

    `name` is the number of a snapshot, the path of a directory, the digest of a blob or the name of a part, by
    `kind`. `tree` is the size of its files in bytes, None if not measured; `blobs` the size of a snapshot's blobs.
    Times are seconds since the epoch; `used` is None if no build has used it since it was made. A record is
    `in_use` if a living process holds it, or a record that is based on it. It is `shared` if a named image
    contains it."""

    id: str
    kind: str
    name: str
    type: str = REGULAR
    description: str = ""
    tree: int | None = None
    created: float = 0.0
    used: float | None = None
    uses: int = 0
    mutable: bool = False
    in_use: bool = False
    shared: bool = False
    parents: tuple[str, ...] = ()
    blobs: int = 0
    directory: Directory | None = None

    @property
    def size(self) -> int:
        """The size in bytes; without the files if they were not measured."""
        return (self.tree or 0) + self.blobs

    def field(self, path: Sequence[str]) -> str | None:
        """The value of a filter expression's field, None if the record lacks it (`runtime.content.filters`)."""
        present = {"inuse": self.in_use, "mutable": self.mutable, "immutable": not self.mutable}
        present |= {"shared": self.shared, "private": not self.shared}
        if path[0] in present:
            return "" if present[path[0]] else None
        texts = {"id": self.id, "type": self.type, "description": self.description}
        texts |= {"parents": ";".join(self.parents), "parent": ";".join(self.parents)}
        return texts.get(path[0]) or None


def snapshot_id(snapshot: int) -> str:
    return f"snapshot-{snapshot}"


def records(store: Store) -> list[UsageRecord]:
    """List all records. Some may be unmeasured: see `measured`."""
    leases = _leases(store)
    images = _image_blobs(store)
    layers = _layers(store)
    return [
        *_snapshots(store, leases, images, layers),
        *(_directory(store, one) for one in directories(store)),
        *_blobs(store, leases, images, {digest for _, digest, _ in layers}),
        *_parts(store),
    ]


def measured(store: Store, record: UsageRecord) -> UsageRecord:
    """Return the record with its size, measured if it was not; the database keeps the result. A directory that is
    in use counts 0 bytes: its size is changing."""
    if record.tree is not None:
        return record
    if record.kind == SNAPSHOT:
        return evolve(record, tree=_measure_snapshot(store, int(record.name)))
    if record.in_use:
        return evolve(record, tree=0)
    size = tree_size(store.path(record.name))
    keep_size(store, record.name, record.used, size)
    return evolve(record, tree=size)


def remeasure(store: Store, removed: Iterable[int]) -> None:
    """Drop the sizes of snapshots that may share files with the `removed` ones: the files count there
    afterwards."""
    from pybuild.runtime.snapshots.hardlinks import link_numbers

    gone = frozenset(removed)
    sized = store.query("SELECT snapshot FROM usage WHERE size IS NOT NULL") if gone else []
    stale = [
        (number,)
        for (number,) in sized
        if not gone.isdisjoint(link_numbers(os.fsencode(store.path("snapshots", str(number), "fs"))))
    ]
    if stale:
        with store.transaction() as db:
            db.executemany("UPDATE usage SET size = NULL WHERE snapshot = ?", stale)


# Snapshots


def _snapshots(
    store: Store, leases: set[tuple[str, str]], images: frozenset[str], layers: Sequence[tuple[int, str, int]]
) -> list[UsageRecord]:
    blobs = _claimed(layers)
    held: set[int] = set()
    shared: set[int] = {number for number, digest, _ in layers if digest in images}
    records = []
    # Children come before parents: what is known of a snapshot is passed on to those it is based on.
    for row in snapshot_table.with_usage(store):
        needed = [one for one in dict.fromkeys((row.parent, row.origin)) if one is not None]
        if row.id in held or not leases.isdisjoint((("snapshot", str(row.id)), ("made", str(row.id)))):
            held.update((row.id, *needed))
        if row.id in shared:
            shared.update(needed)
        records.append(
            UsageRecord(
                snapshot_id(row.id),
                SNAPSHOT,
                str(row.id),
                row.type or REGULAR,
                row.description,
                0 if row.shares else row.size,
                row.created,
                row.used,
                row.uses,
                in_use=row.id in held,
                shared=row.id in shared,
                parents=tuple(map(snapshot_id, needed)),
                blobs=blobs.get(row.id, 0),
            )
        )
    return records


def _measure_snapshot(store: Store, snapshot: int) -> int:
    directory = store.path("snapshots", str(snapshot))
    size = tree_size(directory, linked=os.path.exists(os.path.join(directory, "linked")))
    with store.transaction() as db:
        snapshot_table.keep_size(db, snapshot, size)
    return size


def _layers(store: Store) -> list[tuple[int, str, int]]:
    """The blobs of snapshots' layers: (snapshot, digest, size in bytes), each pair of snapshot and digest once."""
    rows = store.query("SELECT DISTINCT snapshot, digest, size FROM layer ORDER BY snapshot")
    return [(int(str(number)), str(digest), int(str(size))) for number, digest, size in rows]


def _claimed(layers: Sequence[tuple[int, str, int]]) -> dict[int, int]:
    """The bytes of blobs to count with each snapshot. A blob of several snapshots counts with the first."""
    counted: set[str] = set()
    bytes: dict[int, int] = {}
    for number, digest, size in layers:
        if digest not in counted:
            counted.add(digest)
            bytes[number] = bytes.get(number, 0) + size
    return bytes


# Other records


def _directory(store: Store, one: Directory) -> UsageRecord:
    prefix = "cache" if one.type == CACHE_MOUNT else one.path.partition(os.sep)[0]
    return UsageRecord(
        f"{prefix}-{sha256(os.fsencode(one.path)).hexdigest()[:24]}",
        DIRECTORY,
        one.path,
        one.type,
        one.description,
        one.size,
        one.created,
        one.used,
        one.uses,
        mutable=True,
        in_use=in_use(store, one),
        directory=one,
    )


def _blobs(
    store: Store, leases: set[tuple[str, str]], images: frozenset[str], claimed: set[str]
) -> list[UsageRecord]:
    names = {
        digest: str(ref)
        for ref, root in store.query("SELECT ref, digest FROM resolved")
        for digest in reachable(store.blobs, [str(root)])
    }
    records = []
    for entry in _scanned(store.blobs.root):
        digest = "sha256:" + entry.name
        if digest in claimed:
            continue
        try:
            stat = entry.stat()
        except FileNotFoundError:
            continue
        records.append(
            UsageRecord(
                f"blob-{entry.name}",
                BLOB,
                digest,
                description=f"pulled from {names[digest]}" if digest in names else f"blob {digest}",
                tree=stat.st_blocks * 512,
                created=stat.st_mtime,
                used=stat.st_mtime,
                uses=1,
                in_use=("blob", digest) in leases,
                shared=digest in images,
            )
        )
    return records


def _parts(store: Store) -> list[UsageRecord]:
    records = []
    for entry in _scanned(store.path("ingest")):
        name = entry.name.removesuffix(".part")
        if name != entry.name:
            stat = entry.stat()
            records.append(
                UsageRecord(
                    f"part-{name}",
                    PART,
                    entry.name,
                    INTERNAL,
                    f"part of blob sha256:{name}",
                    stat.st_blocks * 512,
                    stat.st_mtime,
                    stat.st_mtime,
                    mutable=True,
                    in_use=is_locked(store.path("ingest", name + ".lock")),
                )
            )
    return records


def _leases(store: Store) -> set[tuple[str, str]]:
    """The leases of living processes: (kind, name)."""
    rows = [tuple(map(str, row)) for row in store.query("SELECT owner, kind, ref FROM lease")]
    living = {owner: is_locked(store.path("work", owner + ".lock")) for owner in {row[0] for row in rows}}
    return {(kind, ref) for owner, kind, ref in rows if living[owner]}


def _image_blobs(store: Store) -> frozenset[str]:
    """The digests of all blobs of the images that have names in the store."""
    return frozenset(reachable(store.blobs, (str(row[0]) for row in store.query("SELECT digest FROM image"))))


def _scanned(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
