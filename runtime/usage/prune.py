"""Prune a store by rules, as BuildKit does, while builds go on. The daemon does; `pybuild prune --all` removes the
whole store instead (`cli/prune.py`).

A rule selects records by filter and by time of last use, all of them or only those that are easily made again.
With space limits, records are deleted one by one until the limit is met, least and longest ago used first; without
limits all selected records are. A record stays if a living process uses it or if a record that stays is based on
it.

1. A pass lists the records and picks those that the rule selects and that no other record is based on.
2. Each is deleted by `deletion.py`, which looks at leases again: a build that began to use it meanwhile keeps it.
3. Deleting a record may free those it is based on, so passes are repeated until one deletes nothing.
"""

from __future__ import annotations

import os
from time import time

from attrs import frozen

from pybuild.runtime.content.directories import forget_missing
from pybuild.runtime.content.filters import FilterError, parse_all
from pybuild.runtime.content.labels import FRONTEND, INTERNAL
from pybuild.runtime.content.space import make_ballast
from pybuild.runtime.usage import records as usage
from pybuild.runtime.usage.deletion import Deletion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.content.filters import Filter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.usage.records import UsageRecord

    Report = Callable[[UsageRecord], None]


BATCH = 64
"""Records deleted together, their snapshots in one transaction, which other processes have to wait for."""


@frozen
class Rule:
    """A selection of records to delete, with space limits.

    Unless `all` is set, internal records, frontends and records shared with named images stay. A record used within
    the last `keep` seconds stays. The limits are in bytes, 0 for none: `max_used` is the most that the store may
    take, `min_free` the least to be free on its disk, `reserved` what the store may take in any case."""

    filters: tuple[str, ...] = ()
    all: bool = False
    keep: float = 0.0
    reserved: int = 0
    max_used: int = 0
    min_free: int = 0

    @property
    def whole(self) -> bool:
        """Report whether the rule selects everything."""
        return self.all and self == Rule(all=True)


def prune(
    store: Store,
    snapshotter: Snapshotter,
    rules: Sequence[Rule],
    report: Report,
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Apply rules one after the other; other processes that prune this store wait. `report` is called with each
    deleted record. The store, whose ballast was given back before it was opened, has one again afterwards, if there
    is room for it. Returns early when `cancelled` answers true. Raises FilterError before anything is deleted."""
    filters = [parsed(rule.filters, "prune") for rule in rules]
    lock = store.lock("prune", cancelled=cancelled)
    if lock is None:
        return
    with lock:
        forget_missing(store)
        for rule, selects in zip(rules, filters, strict=True):
            _Pruning(store, snapshotter, rule, selects, report, cancelled).run()
    make_ballast(store.root)


def parsed(texts: Sequence[str], what: str) -> Filter:
    """Return the filter of a request. Raises FilterError that names the request as BuildKit does."""
    try:
        return parse_all(texts)
    except FilterError as error:
        raise FilterError(f"failed to parse {what} filters [{' '.join(texts)}]: {error}") from None


def space_to_keep(rule: Rule, total: int, free: int) -> int:
    """The bytes that records may take, 0 for any number; `total` is what they take, `free` what the disk has left.
    Follows BuildKit's `calculateKeepBytes` (cache/manager.go)."""
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
    """Sort records by the mean of two ranks, time of last use and number of uses, as BuildKit does: each rank
    counts distinct values and is divided by their number."""
    times = {one: rank for rank, one in enumerate(sorted({one.used or 0.0 for one in records}), 1)}
    counts = {one: rank for rank, one in enumerate(sorted({one.uses for one in records}), 1)}
    return sorted(
        records, key=lambda one: times[one.used or 0.0] / len(times) + counts[one.uses] / len(counts)
    )


class _Pruning:
    """The application of one rule."""

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
        self._rule = rule
        self._selects = selects
        self._report = report
        self._cancelled = cancelled
        self._deletion = Deletion(store, snapshotter)

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
            usage.remeasure(self._store, self._deletion.snapshots)

    def _pass(self) -> bool:
        """Delete all records that the rule selects; returns false if none was deleted."""
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
        """Delete one record after the other until the rest is within the limit."""
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
        """The records that the rule selects and no other is based on, without the `refused` ones, whose deletion
        failed."""
        based_on = {parent for one in records for parent in one.parents}
        since = time() - self._rule.keep
        candidates = []
        for one in records:
            if one.in_use or one.id in based_on or one.id in refused:
                continue
            if not self._rule.all and (one.type in (INTERNAL, FRONTEND) or one.shared):
                continue
            if self._rule.keep and one.used is not None and one.used > since:
                continue
            if self._selects(one.field):
                candidates.append(one)
        return candidates

    def _delete(self, records: Sequence[UsageRecord]) -> list[UsageRecord]:
        """Delete the records that are still free, and report them."""
        deleted = []
        for start in range(0, len(records), BATCH):
            if self._cancelled():
                break
            # Measured first: what is reported has a size.
            batch = [usage.measured(self._store, one) for one in records[start : start + BATCH]]
            for record in self._deletion.delete(batch):
                deleted.append(record)
                self._report(record)
        return deleted

    def _forget_names(self) -> None:
        """Delete the names of images: a rule that selects everything deletes the images too."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM image")
        self._store.bump()
