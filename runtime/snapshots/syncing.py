"""Syncing a store after the build that used it has ended."""

from __future__ import annotations

import os

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.rows import sync_old


def sync_detached(root: str) -> None:
    """Have old snapshots of the store outlast this boot: a process of its own syncs the file system, which can
    take as long as anyone on the machine has written, and ends. Nobody waits for it."""
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        os.closerange(0, 1 << 16)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        if os.fork() == 0:
            with Store.open(root) as store:
                sync_old(store)
    finally:
        os._exit(0)
