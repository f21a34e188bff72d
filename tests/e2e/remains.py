"""What a build has in the running system: processes, mounts, control groups. Found by the name of its store,
which every process of a build has in its command line, its mounts or its working directory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_for_none(root: Path, works: set[str], seconds: float = 30.0) -> list[str]:
    """What is left of builds on the store `root`, whose work directories had the names `works`, after at most
    `seconds`; empty as soon as nothing is."""
    end = time.monotonic() + seconds
    while found := remains(root, works):
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return found


def remains(root: Path, works: set[str]) -> list[str]:
    store = os.fsencode(root)
    found = []
    for process in _numbers("/proc"):
        if process == os.getpid():
            continue
        for name in ("cmdline", "mountinfo", "cgroup"):
            data = _read(f"/proc/{process}/{name}")
            if store in data or any(b"pybuild-" + work.encode() in data for work in works):
                found.append(f"process {process} ({_read(f'/proc/{process}/cmdline')[:80]!r}): {name}")
    for work in works:
        found += [str(path) for path in _groups(f"pybuild-{work}")]
    return found


def work_names(root: Path) -> set[str]:
    """Names of the work directories that are in the store."""
    try:
        return {name.removesuffix(".lock") for name in os.listdir(root / "work")}
    except FileNotFoundError:
        return set()


def until(condition: Callable[[], bool], seconds: float, step: float = 0.002) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


def _groups(name: str) -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [*top.glob(name), *top.glob(f"*/{name}")]


def _numbers(directory: str) -> list[int]:
    return [int(name) for name in os.listdir(directory) if name.isdecimal()]


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
