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

from pybuild.runtime.content.directories import forget_missing
from pybuild.runtime.content.filters import FilterError, parse_all
from pybuild.runtime.content.labels import FRONTEND, INTERNAL
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
        """The names of images in the store mean nothing without it."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM image")
        self._store.bump()
