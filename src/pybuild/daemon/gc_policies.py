"""buildkitd's garbage collection policies, in the order in which they are applied."""

from __future__ import annotations

from attrs import evolve, frozen

from pybuild.daemon.amounts import disk_size, in_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.request.config.schema import Section

HOUR = 3_600_000_000_000
_CHEAP = "type==source.local,type==exec.cachemount,type==source.git.checkout"


@frozen
class GcPolicy:
    """A policy: of the records that match `filters`, keep those used in the last `keep_duration` nanoseconds. Sizes
    are bytes, 0 for no limit. `all` includes internal records."""

    filters: tuple[str, ...] = ()
    all: bool = False
    keep_duration: int = 0
    reserved_space: int = 0
    max_used_space: int = 0
    min_free_space: int = 0


def gc_policies(oci: Section, root: str, keep: int | None) -> tuple[GcPolicy, ...]:
    """Return the configured policies, else the defaults for the disk of `root`. `keep` is the reserved space of a
    flag."""
    if oci["gcpolicy"]:
        return tuple(
            GcPolicy(
                policy["filters"],
                policy["all"],
                policy["keepDuration"],
                in_bytes(policy["reservedSpace"], root) or in_bytes(policy["keepBytes"], root),
                in_bytes(policy["maxUsedSpace"], root),
                in_bytes(policy["minFreeSpace"], root),
            )
            for policy in oci["gcpolicy"]
        )
    reserved = keep or in_bytes(oci["reservedSpace"], root) or in_bytes(oci["gckeepstorage"], root)
    return defaults(root, reserved, in_bytes(oci["maxUsedSpace"], root), in_bytes(oci["minFreeSpace"], root))


def defaults(root: str, reserved: int = 0, most: int = 0, free: int = 0) -> tuple[GcPolicy, ...]:
    """Return the default policies, buildkitd's own: first cheap records unused for two days, then records unused
    for sixty days, then whatever exceeds the limits."""
    if not (reserved or most or free):
        size = disk_size(root)
        reserved = min(_percent(size, 10), 10_000_000_000)
        most = min(_percent(size, 60), 100_000_000_000)
        free = _percent(size, 20)
    easily = GcPolicy((_CHEAP,), keep_duration=48 * HOUR, max_used_space=512_000_000)
    limits = GcPolicy(reserved_space=reserved, max_used_space=most, min_free_space=free)
    return easily, evolve(limits, keep_duration=60 * 24 * HOUR), limits, evolve(limits, all=True)


def _percent(size: int, percents: int) -> int:
    return (size * percents // 100 // (1 << 30) + 1) * 1_000_000_000 if size else 2_000_000_000
