"""From an image's layers to a snapshot: each layer over the one below, those already unpacked reused.

Table `chain` names the snapshot of each chain ID. A layer is decompressed, hashed and written out at the same
time; it is committed when its uncompressed bytes have the digest that the image's config gives.
"""

from __future__ import annotations

from hashlib import sha256
from time import monotonic

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.content.blobs import DamagedBlob, DigestMismatch
from pybuild.runtime.image.layers import SOURCE, chain_ids
from pybuild.runtime.image.twins import usable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import FileIO

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.image.extract import Extracted
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.snapshots.types import Snapshotter

TELL_SECONDS = 1.0
"""Seconds between two reports of a layer's progress."""


def unpack(
    store: Store,
    snapshotter: Snapshotter,
    layers: Sequence[Descriptor],
    *,
    wait_blob: Callable[[Descriptor], None] | None = None,
    tracked: Tracked | None = None,
    cancelled: Callable[[], bool] | None = None,
    notice: Callable[[str], None] | None = None,
) -> int | None:
    """Return the snapshot of `layers` (from the base up, each with its `diff_id`), unpacking the missing
    ones; None for no layers.

    `wait_blob` is called before a layer is read and returns when its blob is in the store, so that unpacking
    overlaps with the download of the layers above. One process unpacks a chain at a time; others wait for it.
    `notice` is called with what was left out (device nodes in a user namespace).

    Raises ArchiveError, ExtractError, DigestMismatch (nothing is kept of that layer), DamagedBlob, Cancelled.
    """
    task = _Task(store, snapshotter, tracked, cancelled, notice)
    ids = chain_ids([layer.diff_id for layer in layers])
    snapshot: int | None = None
    start = 0
    # The longest prefix that is unpacked already; everything above it is missing.
    for number in range(len(ids), 0, -1):
        snapshot = known(store, snapshotter, ids[number - 1])
        if snapshot is not None:
            start = number
            break
    for number, below in enumerate(snapshotter.chain(snapshot)[:start] if start else []):
        _record_source(store, below, layers[number])
    for layer, chain_id in zip(layers[start:], ids[start:], strict=True):
        lock = store.lock("unpack-" + chain_id[7:], cancelled=cancelled)
        if lock is None:
            raise Cancelled
        try:
            # Another process may have unpacked it while this one waited for the lock.
            unpacked = known(store, snapshotter, chain_id)
            if unpacked is None:
                if wait_blob is not None:
                    wait_blob(layer)
                unpacked = task.unpack(layer, snapshot, wait_blob)
                with store.transaction() as db:
                    db.execute("INSERT OR REPLACE INTO chain VALUES (?, ?)", (chain_id, unpacked))
                    db.execute(_SOURCE, _source_row(unpacked, layer))
            else:
                _record_source(store, unpacked, layer)
            snapshot = unpacked
        finally:
            lock.remove()
    if snapshot is not None:
        store.lease("snapshot", str(snapshot))
    return snapshot


def known(store: Store, snapshotter: Snapshotter, chain_id: str) -> int | None:
    """Return a trusted snapshot of a chain ID, leased; None if there is none."""
    for (snapshot,) in store.query("SELECT snapshot FROM chain WHERE chain_id = ?", chain_id):
        number = int(str(snapshot))
        store.lease("snapshot", str(number))
        return usable(store, snapshotter, number)
    return None


class _Task:
    """The unpacking of layers for one build."""

    __slots__ = ("_cancelled", "_notice", "_snapshotter", "_store", "_tracked")

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        tracked: Tracked | None,
        cancelled: Callable[[], bool] | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._tracked = tracked
        self._cancelled = cancelled
        self._notice = notice

    def unpack(
        self, layer: Descriptor, parent: int | None, wait_blob: Callable[[Descriptor], None] | None
    ) -> int:
        """Return the snapshot of a layer. If the store's file of it is damaged, it is fetched once more."""
        from pybuild.runtime.image.decompression import ArchiveError
        from pybuild.runtime.image.ways import ExtractError

        try:
            return self._unpack(layer, parent)
        except (ArchiveError, ExtractError, DigestMismatch):
            if not self._store.blobs.drop_damaged(layer.digest):
                raise  # the image's own fault
            damaged = DamagedBlob(self._store.blobs.path(layer.digest), layer.digest)
        if wait_blob is None:
            raise damaged
        if self._notice is not None:
            self._notice(f"{damaged}; it is fetched again")
        wait_blob(layer)
        return self._unpack(layer, parent)

    def _unpack(self, layer: Descriptor, parent: int | None) -> int:
        from pybuild.runtime.image.decompression import Ahead, pull_decompressed
        from pybuild.runtime.image.layerreading import read_layer

        name = f"layer {layer.digest}"
        hashed = sha256()
        active = self._snapshotter.prepare(parent)
        try:
            with open(self._store.blobs.path(layer.digest), "rb", buffering=0) as file:
                read = _Counted(self._reader(layer, file))
                with Ahead(pull_decompressed(read, name=name), hashed.update) as pull:
                    done = read_layer(self._snapshotter, active, pull, name, hashed)
            diff_id = "sha256:" + hashed.hexdigest()
            if layer.diff_id and diff_id != layer.diff_id:
                raise DigestMismatch(f"{name}, uncompressed,", layer.diff_id, diff_id)
            snapshot = active.commit()
        finally:
            active.abort()
        if self._tracked is not None:
            self._tracked.progress(f"extracting {layer.digest}", layer.size, layer.size, done=True)
        if self._notice is not None and done.skipped:
            self._notice(_skipped(name, done))
        return snapshot

    def _reader(self, layer: Descriptor, file: FileIO) -> Callable[[int], bytes]:
        """Return a function that reads a layer's file, tells how far it is, and raises Cancelled."""
        told = 0.0

        def read(size: int) -> bytes:
            nonlocal told
            if self._cancelled is not None and self._cancelled():
                raise Cancelled
            if self._tracked is not None and monotonic() >= told:
                told = monotonic() + TELL_SECONDS
                self._tracked.progress(f"extracting {layer.digest}", file.tell(), layer.size)
            return file.read(size)

        return read


class _Counted:
    """A reading function as a file."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


def _skipped(name: str, done: Extracted) -> str:
    import os

    first, reason = done.skipped[0]
    more = f" and {done.skipped_count - 1} more" if done.skipped_count > 1 else ""
    return f"{name}: left out {os.fsdecode(first)!r}{more}: {reason}"


_SOURCE = "INSERT OR REPLACE INTO layer VALUES (?, ?, ?, ?, ?, ?, ?)"


def _source_row(snapshot: int, layer: Descriptor) -> tuple[object, ...]:
    return snapshot, SOURCE, layer.diff_id, layer.digest, layer.size, layer.media_type, ""


def _record_source(store: Store, snapshot: int, layer: Descriptor) -> None:
    """Record the blob that the snapshot's layer was pulled as, so that an export reuses that blob."""
    row = _source_row(snapshot, layer)
    recorded = store.query("SELECT * FROM layer WHERE snapshot = ? AND variant = ?", snapshot, SOURCE)
    if recorded != [row]:
        with store.transaction() as db:
            db.execute(_SOURCE, row)
