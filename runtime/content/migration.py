"""From the record database of an earlier version to this one's.

1. `store.json` names this version first, so that no earlier program opens the store any more.
2. The newest earlier database is changed in one transaction, version by version.
3. It is renamed to this version's file.

Each step is whole or not begun, and what a killed process left is taken up by the next one.
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
    """Bring the records of the store at `root` to `VERSION`, alone among all processes; whether there were
    earlier ones. Raises sqlite3.Error for a damaged database."""
    target = database_path(root)
    earlier = [version for version in CHANGES if os.path.exists(database_path(root, version))]
    if not earlier:
        return False
    lock = wait_lock(os.path.join(root, IN_USE), on_wait=on_wait)
    assert lock is not None
    with lock:
        source = database_path(root, max(earlier))
        if os.path.exists(target) or not os.path.exists(source):
            return False  # another process was faster
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
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log's name would not follow the file's
    finally:
        db.close()
