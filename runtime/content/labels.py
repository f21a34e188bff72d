"""What a snapshot is and what made it, as disk usage tells it. In the terms and words of BuildKit, whose clients
filter by them."""

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
    """A record type and a description. With `chain` they hold of the snapshot's ancestors too."""

    __slots__ = ("chain", "description", "type")

    def __init__(self, type: str, description: str, *, chain: bool = False) -> None:
        self.type = type
        self.description = description
        self.chain = chain

    def write(self, db: sqlite3.Connection, snapshot: int) -> None:
        """Label a snapshot, in a transaction. The first label stays: what comes to the same content later is that
        snapshot."""
        describe(db, snapshot, self.type, self.description, ancestors=self.chain)
