"""Migration of the record database of an earlier version to this one's.

1. Write this version to `store.json`, so that no earlier program opens the store any more.
2. Change the newest earlier database in one transaction, version by version.
3. Rename it to this version's file.

Each step is atomic. After a killed process the next one continues with the step that is left.
"""

from __future__ import annotations

import os
import sqlite3

from pybuild.runtime.content.database import database_path
from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.root import IN_USE, claim
from pybuild.runtime.content.schema import CHANGES, TABLES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def migrate(root: str, *, on_wait: Callable[[str], None] | None = None) -> bool:
    """Bring the records of the store at `root` to `VERSION`, while no other process uses the store. Returns true if
    there was an earlier database. Raises sqlite3.Error for a damaged one."""
    target = database_path(root)
    earlier = [version for version in CHANGES if os.path.exists(database_path(root, version))]
    if not earlier:
        return False
    lock = wait_lock(os.path.join(root, IN_USE), on_wait=on_wait)
    assert lock is not None
    with lock:
        # Looked for again: another process may have migrated while this one waited.
        source = database_path(root, max(earlier))
        if os.path.exists(target) or not os.path.exists(source):
            return False
        claim(root)
        _change(source)
        os.rename(source, target)
    return True


def _change(path: str) -> None:
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version != VERSION:
            steps = [step for number in range(version, VERSION) for step in CHANGES[number]]
            db.executescript(
                f"BEGIN IMMEDIATE; {';'.join(steps)}; {TABLES} PRAGMA user_version={VERSION}; COMMIT;"
            )
        # The log (`…-wal`) is found by the database's name, which is about to change: leave nothing in it.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
