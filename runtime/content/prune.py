"""Deletes what a store holds by rules, as BuildKit does, while builds go on.

A rule selects records: by a filter, by when they were last used, all or only those that are easily made again. With
limits of space they are deleted one by one, those used least and longest ago first, until the limit is kept; else
all of them are. What a living process uses stays, and so does what something that stays is based on.

1. A pass lists the records and picks those that nothing is based on and that the rule selects.
2. Each is deleted in one transaction that looks at leases again, so that a build that began to use it meanwhile keeps
   it; its files get another name in that transaction and are deleted after it.
3. What this has set free is seen by the next pass. When a pass deletes nothing, the rule is done.
"""

from __future__ import annotations

import os
from time import time

from attrs import frozen

from pybuild.runtime.content import usage
from pybuild.runtime.content.directories import forget_missing, take_away
from pybuild.runtime.content.filters import FilterError, parse_all
from pybuild.runtime.content.labels import FRONTEND, INTERNAL
from pybuild.runtime.content.locks import try_lock
from pybuild.runtime.content.reachable import reachable
from pybuild.runtime.snapshots.rows import REMOVED, Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.content.filters import Filter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.content.usage import UsageRecord
    from pybuild.runtime.snapshots.types import Snapshotter

    Report = Callable[[UsageRecord], None]


BATCH = 64
"""Snapshots deleted in one transaction, at most."""


@frozen
class Rule:
    """What to delete. Without `all` internal records, frontends and what named images share stay. `keep` is in
    seconds: what was used since stays. Of space, in bytes: `max_used` is what the store may take, `min_free` what is
    to be free on its disk, `reserved` what the store may always take. 0 is no such limit."""

    filters: tuple[str, ...] = ()
    all: bool = False
    keep: float = 0.0
    reserved: int = 0
    max_used: int = 0
    min_free: int = 0

    @property
    def whole(self) -> bool:
        """Whether it selects everything."""
        return self.all and self == Rule(all=True)


def prune(
    store: Store,
    snapshotter: Snapshotter,
    rules: Sequence[Rule],
    report: Report,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Apply rules one after the other, alone among all that prune this store. `report` hears of each record once
    it is deleted. Raises FilterError before anything is deleted."""
    filters = [parsed(rule.filters, "prune") for rule in rules]
    lock = store.lock("prune", cancelled=cancelled)
    if lock is None:
        return
    with lock:
        forget_missing(store)
        for rule, selects in zip(rules, filters, strict=True):
            _Pruning(store, snapshotter, rule, selects, report, cancelled).run()


def parsed(texts: Sequence[str], what: str) -> Filter:
    """The filter of a request. Raises FilterError that names the request as BuildKit does."""
    try:
        return parse_all(texts)
    except FilterError as error:
        raise FilterError(f"failed to parse {what} filters [{' '.join(texts)}]: {error}") from None


def space_to_keep(rule: Rule, total: int, free: int) -> int:
    """The bytes that records may take, 0 for any number; `total` is what they take, `free` what the disk has."""
    if not (rule.max_used or rule.reserved or rule.min_free):
        return 0
    keep = rule.max_used
    excess = rule.min_free - free
    if excess > 0:
        keep = min(keep, total - excess) if keep else total - excess
    elif rule.min_free and not keep:
        keep = total
    return max(keep, rule.reserved)


def least_used_first(records: Sequence[UsageRecord]) -> list[UsageRecord]:
    """By rank of last use and rank of number of uses, both counting the same."""
    times = {one: rank for rank, one in enumerate(sorted({one.used or 0.0 for one in records}), 1)}
    counts = {one: rank for rank, one in enumerate(sorted({one.uses for one in records}), 1)}
    return sorted(
        records, key=lambda one: times[one.used or 0.0] / len(times) + counts[one.uses] / len(counts)
    )


class _Pruning:
    """One rule being applied."""

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        rule: Rule,
        selects: Filter,
        report: Report,
        cancelled: Callable[[], bool],
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._rule = rule
        self._selects = selects
        self._report = report
        self._cancelled = cancelled
        self._gone: list[int] = []
        self._named: tuple[frozenset[str], set[str]] = (frozenset(), set())

    def run(self) -> None:
        if self._rule.whole:
            self._forget_names()
        limited = bool(self._rule.max_used or self._rule.reserved or self._rule.min_free)
        try:
            if limited:
                self._to_limit()
            else:
                while self._pass():
                    pass
        finally:
            usage.remeasure(self._store, self._gone)

    def _pass(self) -> bool:
        """Delete all that the rule selects of what is there; whether there was anything."""
        records = {one.id: one for one in usage.records(self._store)}
        refused: set[str] = set()
        before = len(records)
        while not self._cancelled():
            candidates = self._candidates(list(records.values()), refused)
            if not candidates:
                break
            deleted = {one.id for one in self._delete(candidates)}
            refused.update(one.id for one in candidates if one.id not in deleted)
            for id in deleted:
                del records[id]
        return len(records) < before

    def _to_limit(self) -> None:
        """Delete one record after the other, until the space they take is within the limit."""
        records = {one.id: usage.measured(self._store, one) for one in usage.records(self._store)}
        total = sum(one.size for one in records.values() if not one.shared)
        disk = os.statvfs(self._store.root)
        keep = space_to_keep(self._rule, total, disk.f_bavail * disk.f_frsize)
        refused: set[str] = set()
        while total >= keep and not self._cancelled():
            candidates = least_used_first(self._candidates(list(records.values()), refused))
            if not candidates:
                return
            first = candidates[0]
            if self._delete([first]):
                total -= 0 if first.shared else first.size
                del records[first.id]
            else:
                refused.add(first.id)

    def _candidates(self, records: Sequence[UsageRecord], refused: set[str]) -> list[UsageRecord]:
        """Those that the rule selects and nothing is based on, without those that could not be deleted."""
        based_on = {parent for one in records for parent in one.parents}
        since = time() - self._rule.keep
        found = []
        for one in records:
            if one.in_use or one.id in based_on or one.id in refused:
                continue
            if not self._rule.all and (one.type in (INTERNAL, FRONTEND) or one.shared):
                continue
            if self._rule.keep and one.used is not None and one.used > since:
                continue
            if self._selects(one.field):
                found.append(one)
        return found

    def _delete(self, records: Sequence[UsageRecord]) -> list[UsageRecord]:
        """Delete those that are still free, and report them."""
        deleted = []
        for start in range(0, len(records), BATCH):
            if self._cancelled():
                break
            batch = [usage.measured(self._store, one) for one in records[start : start + BATCH]]
            snapshots = self._delete_snapshots([one for one in batch if one.kind == usage.SNAPSHOT])
            for one in batch:
                done = one.id in snapshots if one.kind == usage.SNAPSHOT else _DELETERS[one.kind](self, one)
                if done:
                    deleted.append(one)
                    self._report(one)
        return deleted

    def _delete_snapshots(self, records: Sequence[UsageRecord]) -> set[str]:
        """With the blobs of their layers; the ids of those deleted."""
        numbers = [int(one.name) for one in records]
        marks = ",".join("?" * len(numbers))
        layers = self._store.query(f"SELECT DISTINCT digest FROM layer WHERE snapshot IN ({marks})", *numbers)
        removed = self._removed(numbers) if numbers else []
        self._gone += removed
        if removed:
            for (digest,) in layers:
                self._unlink_blob(str(digest))
        return {usage.snapshot_id(number) for number in removed}

    def _removed(self, numbers: Sequence[int]) -> list[int]:
        """Remove snapshots, also those of another snapshotter than the one that works here."""
        kinds = {str(row[0]) for row in self._store.query("SELECT DISTINCT kind FROM snapshot")}
        others = kinds - {self._snapshotter.name, REMOVED}
        removed = list(self._snapshotter.remove(numbers))
        for kind in others:
            removed += Rows(self._store, kind).remove(numbers)
        return removed

    def _delete_directory(self, record: UsageRecord) -> bool:
        assert record.directory is not None
        return take_away(self._store, record.directory)

    def _delete_blob(self, record: UsageRecord) -> bool:
        done = self._unlink_blob(record.name)
        if done:
            self._store.bump()
        return done

    def _unlink_blob(self, digest: str) -> bool:
        """Delete a blob, unless a build has leased it or a layer or an image has it; whether it was there."""
        store = self._store
        with store.transaction() as db:
            for query in (
                "SELECT 1 FROM lease WHERE kind = 'blob' AND ref = ?",
                "SELECT 1 FROM layer WHERE digest = ?",
            ):
                if db.execute(query, (digest,)).fetchone() is not None:
                    return False
            images = frozenset(str(row[0]) for row in db.execute("SELECT digest FROM image"))
            if images != self._named[0]:
                self._named = images, reachable(store.blobs, images)
            if digest in self._named[1]:
                return False
            db.execute("DELETE FROM resolved WHERE digest = ?", (digest,))
            try:
                os.unlink(store.blobs.path(digest))
            except FileNotFoundError:
                return False
        return True

    def _delete_part(self, record: UsageRecord) -> bool:
        lock = try_lock(self._store.path("ingest", record.name.removesuffix(".part") + ".lock"))
        if lock is None:
            return False
        with lock:
            try:
                os.unlink(self._store.path("ingest", record.name))
            except FileNotFoundError:
                return False
            finally:
                lock.remove()
        return True

    def _forget_names(self) -> None:
        """The names of images in the store mean nothing without it."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM image")
        self._store.bump()


_DELETERS: dict[str, Callable[[_Pruning, UsageRecord], bool]] = {
    usage.DIRECTORY: _Pruning._delete_directory,
    usage.BLOB: _Pruning._delete_blob,
    usage.PART: _Pruning._delete_part,
}
