"""Creation times of snapshots, as image configs and exported cache records state them."""

from __future__ import annotations

from pybuild.runtime.content import snapshot_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store


class CreationTimes:
    """Reads from the store when a snapshot was created, and by which step. Thread-safe."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self, snapshot: int) -> tuple[str | None, str]:
        """Return a snapshot's creation time (RFC 3339) and the description of the step that created it; None and ""
        if the snapshot is gone."""
        from pybuild.compiler.timestamps import format_seconds

        row = snapshot_table.created(self._store, snapshot)
        return (None, "") if row is None else (format_seconds(row[0]), row[1])

    def time(self, snapshot: int) -> tuple[str | None, str]:
        """Return the same without the description: an image with a config must not depend on which step happened to
        create a layer first."""
        return self.describe(snapshot)[0], ""
