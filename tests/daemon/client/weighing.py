"""What a daemon holds of the machine: memory, descriptors, threads and mounts of its lasting processes."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from attrs import frozen
from tests.daemon.client.running import Running

POOL = "event_engine"
MOST_POOL = 8
"""gRPC's own threads, by their name, and how many there may be: it adds some under load, and keeps a few of them."""


@frozen
class Weight:
    """Sums over the daemon and the processes it started itself; `processes` are all of its session, `pool` the
    threads that gRPC keeps, which `threads` leaves out."""

    memory: int
    descriptors: int
    threads: int
    pool: int
    mounts: int
    processes: int

    def differences(self, other: Weight) -> list[str]:
        """What is not as it was, memory left aside."""
        names = ("descriptors", "threads", "mounts", "processes")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        found = [f"{name}: {was} before, {is_} after" for name, (was, is_) in pairs.items() if was != is_]
        return [*found, f"{other.pool} threads of gRPC's"] if other.pool > MOST_POOL else found


def weigh(running: Running) -> Weight:
    """What it holds."""
    lasting = [running.process.pid, *_children(running.process.pid)]
    threads = [name for pid in lasting for name in _threads(pid)]
    return Weight(
        memory=sum(_status(pid, "VmRSS") for pid in lasting) * 1024,
        descriptors=sum(_descriptors(pid) for pid in lasting),
        threads=sum(name != POOL for name in threads),
        pool=threads.count(POOL),
        mounts=sum(_mounts(pid, running.root) for pid in (os.getpid(), *lasting)),
        processes=sum(1 for pid in _all() if _session(pid) == running.process.pid),
    )


def settled(
    running: Running, idle: Weight, seconds: float = 10.0, *, besides: tuple[str, ...] = ()
) -> list[str]:
    """How what the daemon holds differs from `idle`, once it doesn't or the time is over. What is named in `besides`
    may differ: a daemon that has built has more threads and descriptors than one that has not yet."""
    end = time.monotonic() + seconds
    while True:
        found = [one for one in idle.differences(weigh(running)) if not one.startswith(besides)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _fields(pid: int) -> list[str]:
    """The fields of its `stat` from the third on; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def _children(parent: int) -> list[int]:
    return [pid for pid in _all() if _fields(pid)[1:2] == [str(parent)]]


def _session(pid: int) -> int:
    found = _fields(pid)
    return int(found[3]) if found and found[0] != "Z" else 0


def _status(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _threads(pid: int) -> list[str]:
    """Their names."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/comm"):
        with suppress(OSError):
            found.append(path.read_text().strip())
    return found


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def _mounts(pid: int, root: Path) -> int:
    try:
        lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    except OSError:
        return 0
    return sum(1 for line in lines if str(root) in line)
