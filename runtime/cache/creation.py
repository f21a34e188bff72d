"""Creation times of snapshots, as image configs and exported cache records state them."""

from __future__ import annotations

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

        rows = self._store.query(
            "SELECT created, description FROM snapshot LEFT JOIN usage ON snapshot = id WHERE id = ?",
            snapshot,
        )
        return (format_seconds(int(str(rows[0][0]))), str(rows[0][1] or "")) if rows else (None, "")

    def time(self, snapshot: int) -> tuple[str | None, str]:
        """Return the same without the description: an image with a config must not depend on which step happened to
        create a layer first."""
        return self.describe(snapshot)[0], ""
