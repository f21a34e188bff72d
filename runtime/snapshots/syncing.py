"""Sync committed snapshots to the disk, so that they are trusted beyond this boot."""

from __future__ import annotations

import os

from pybuild.runtime.content import snapshot_table
from pybuild.runtime.content.store import Store


def sync_old(store: Store) -> int:
    """Sync the store's file system, then trust the snapshots that were committed before beyond this boot. Returns
    their number. Raises OSError when the file system reports a lost write; nothing is marked as synced then."""
    newest = snapshot_table.newest_unsynced(store)
    if newest is None:
        return 0
    from pybuild.runtime.snapshots.mounts import sync_file_system

    sync_file_system(os.fsencode(store.path("snapshots")))
    with store.transaction() as db:
        # Up to `newest` only: a snapshot committed during the sync may not be on the disk.
        return snapshot_table.mark_synced(db, store.boot, newest)


def sync_detached(root: str) -> None:
    """Run `sync_old` on the store in a process of its own that nobody waits for: a sync takes as long as everything
    written on the machine takes to reach the disk."""
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)
        return
    try:
        # A session of its own, no inherited descriptors and a second fork: the process belongs to init, keeps no
        # terminal, pipe or lock of the build, and is not killed with it.
        os.setsid()
        os.closerange(0, 1 << 16)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        if os.fork() == 0:
            with Store.open(root) as store:
                sync_old(store)
    finally:
        os._exit(0)
