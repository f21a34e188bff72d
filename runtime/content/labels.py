"""Record types and descriptions of snapshots, as disk usage reports them. The words are BuildKit's
(`client/diskusage.go`), since its clients filter by them."""

from __future__ import annotations

from pybuild.runtime.content.snapshot_table import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

REGULAR = "regular"
INTERNAL = "internal"
FRONTEND = "frontend"
LOCAL_SOURCE = "source.local"
GIT_CHECKOUT = "source.git.checkout"
CACHE_MOUNT = "exec.cachemount"


class Label:
    """A record type and a description for a snapshot. With `chain` they also describe the snapshot's ancestors."""

    __slots__ = ("chain", "description", "type")

    def __init__(self, type: str, description: str, *, chain: bool = False) -> None:
        self.type = type
        self.description = description
        self.chain = chain

    def write(self, db: sqlite3.Connection, snapshot: int) -> None:
        """Label a snapshot, in a transaction. The first label stays: a later step with the same content gets the
        same snapshot."""
        describe(db, snapshot, self.type, self.description, ancestors=self.chain)
