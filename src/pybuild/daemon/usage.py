"""Lists the content of the store, and prunes it, on request or by the daemon's policies."""

from __future__ import annotations

from time import time

from attrs import frozen

from pybuild.compiler.protos.control_pb2 import DiskUsageRequest, PruneRequest, UsageRecord
from pybuild.runtime.content.space import give_back_ballast, used_up
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.usage import records as usage
from pybuild.runtime.usage.prune import Rule, parsed, prune

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.build.worker import Owner, Task
    from pybuild.daemon.gc_policies import GcPolicy
    from pybuild.daemon.settings import Settings
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

    Report = Callable[[bytes], None]
    Record = usage.UsageRecord

SECOND = 1_000_000_000


@frozen
class Work:
    """An open store, and the callback that records are reported to."""

    store: Store
    snapshotter: Snapshotter
    report: Report
    cancelled: Callable[[], bool]

    def tell(self, record: Record) -> None:
        self.report(message(record).SerializeToString())


def run(task: Task, owner: Owner, settings: Settings) -> None:
    """Carry out a task of the kinds `usage`, `prune` and `collect`; UsageRecords go to the front process. Raises
    UserError; for a bad filter before anything is removed."""
    # To open a store takes space, too. Collecting comes after every build, so it gives nothing back without need.
    if task["kind"] == "prune" or (task["kind"] == "collect" and used_up(settings.root)):
        give_back_ballast(settings.root)
    engine = Engine(EngineOptions(settings.root), Observer(), owner.cancellation)
    owner.started()
    try:
        work = Work(
            engine.store,
            engine.snapshotter,
            lambda record: owner.tell(("record", record)),
            owner.cancellation,
        )
        _TASKS[task["kind"]](work, task["request"], settings)
    finally:
        engine.close()


def message(record: Record) -> UsageRecord:
    """Return a record as BuildKit's message."""
    converted = UsageRecord(
        ID=record.id,
        Mutable=record.mutable,
        InUse=record.in_use,
        Size=record.size,
        Parents=record.parents,
        UsageCount=record.uses,
        Description=record.description,
        RecordType=record.type,
        Shared=record.shared,
    )
    converted.CreatedAt.FromNanoseconds(int(record.created * SECOND))
    if record.used is not None:
        converted.LastUsedAt.FromNanoseconds(int(record.used * SECOND))
    return converted


def _usage(work: Work, request: bytes, settings: Settings) -> None:
    """Report records, except those used in the last `ageLimit` nanoseconds."""
    query = DiskUsageRequest.FromString(request)
    selects = parsed(query.filter, "diskusage")
    since = time() - query.ageLimit / SECOND
    for record in usage.records(work.store):
        if work.cancelled():
            return
        if query.ageLimit and record.used is not None and record.used > since:
            continue
        if selects(record.field):
            work.tell(usage.measured(work.store, record))


def _prune(work: Work, request: bytes, settings: Settings) -> None:
    query = PruneRequest.FromString(request)
    rule = Rule(
        tuple(query.filter),
        query.all,
        query.keepDuration / SECOND,
        query.reservedSpace,
        query.maxUsedSpace,
        query.minFreeSpace,
    )
    prune(work.store, work.snapshotter, [rule], work.tell, cancelled=work.cancelled)


def _collect(work: Work, request: bytes, settings: Settings) -> None:
    rules = [_rule(policy) for policy in settings.policies]
    prune(work.store, work.snapshotter, rules, lambda record: None, cancelled=work.cancelled)


def _rule(policy: GcPolicy) -> Rule:
    return Rule(
        policy.filters,
        policy.all,
        policy.keep_duration / SECOND,
        policy.reserved_space,
        policy.max_used_space,
        policy.min_free_space,
    )


_TASKS: dict[str, Callable[[Work, bytes, Settings], None]] = {
    "usage": _usage,
    "prune": _prune,
    "collect": _collect,
}
