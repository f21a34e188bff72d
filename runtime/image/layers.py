"""Layers of snapshots: one snapshot's diff as one blob, made once and recorded. A diff that lies over several
states has one layer for all of them, the layer of its origin (`Snapshotter.layers`).

A row of table `layer` names the blob of a snapshot's diff in one *variant*: `gzip-1`, `zstd-3@1700000000`
(compression, `@` the latest modification time). Variant `source` is the blob that was pulled: exports of an
unchanged base use it with any requested compression, and no timestamp in it is rewritten. Variant `tar`
records the uncompressed archive's digest and size, whose blob need not exist.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256

from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.image.compression import Compression, Compressor
from pybuild.runtime.image.descriptor import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from pybuild.runtime.image.tarwriter import write_layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pybuild.runtime.content.store import Store
    from pybuild.runtime.snapshots.types import Snapshotter

SOURCE = "source"
TAR = "tar"

MEDIA_TYPES = {"gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD, "uncompressed": OCI_LAYER}


class Layers:
    """The layers of a store's snapshots. Thread-safe: a layer that is wanted twice at once, by threads or
    processes, is made once."""

    def __init__(self, store: Store, snapshotter: Snapshotter, *, threads: int | None = None) -> None:
        """`threads` compress one layer (default: one a CPU); the bytes do not depend on it."""
        from threading import Lock

        self._store = store
        self._snapshotter = snapshotter
        self._threads = threads
        self._guard = Lock()
        self._busy: dict[str, threading.Lock] = {}
        self._kept: set[str] = set()

    def layers(
        self,
        snapshot: int | None,
        compression: Compression,
        *,
        clamp: int | None = None,
        force: bool = False,
        done: Callable[[Descriptor], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Descriptor]:
        """Return the layers of a state from the base up, each with its `diff_id`; missing ones are made in
        parallel, one that the state has twice is made once. `done` is called for each, from any thread.
        Raises what `layer` raises."""
        from pybuild.runtime.image.parallel import run_all

        def job(number: int) -> Callable[[], Descriptor]:
            def make() -> Descriptor:
                made = self.layer(number, compression, clamp=clamp, force=force, cancelled=cancelled)
                if done is not None:
                    done(made)
                return made

            return make

        chain = self._snapshotter.layers(snapshot)
        blobs = {number: self._recorded(number, compression, clamp, force) for number in chain}
        missing = [number for number in blobs if blobs[number] is None]
        made = dict(zip(missing, run_all([job(number) for number in missing]), strict=True))
        layers = [blobs[number] or made[number] for number in chain]
        self.keep([descriptor.digest for descriptor in layers])
        return layers

    def keep(self, digests: Sequence[str]) -> None:
        """Lease blobs for this process, in one transaction; free for those it has leased this way before."""
        import os

        missing = [digest for digest in digests if digest not in self._kept]
        if missing:
            owner = os.path.basename(self._store.work)
            with self._store.transaction() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO lease VALUES (?, 'blob', ?)",
                    [(owner, digest) for digest in missing],
                )
            self._kept.update(missing)

    def layer(
        self,
        snapshot: int,
        compression: Compression,
        *,
        clamp: int | None = None,
        force: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> Descriptor:
        """Return the layer of one snapshot in OCI media types, with its `diff_id`; its blob is in the store,
        leased. A pulled layer is used as it is; with `force` it is converted unless it has the requested
        compression. Raises LayerReadError, Cancelled, OSError (disk full)."""
        recorded = self._recorded(snapshot, compression, clamp, force)
        if recorded is None:
            with self._alone(f"layer-{snapshot}-{_variant(compression, clamp)}", cancelled):
                recorded = self._recorded(snapshot, compression, clamp, force)
                if recorded is None:
                    recorded = self._remade(snapshot, compression, clamp, cancelled)
        self.keep([recorded.digest])
        return recorded

    def chain(self, snapshot: int | None) -> list[int]:
        """Return the snapshots of the layers that `layers` returns, in the same order."""
        return self._snapshotter.layers(snapshot)

    def files(self, snapshot: int) -> Iterator[bytes]:
        """Yield the paths that the layer of one snapshot adds or changes."""
        return (change.path for change in self._snapshotter.changes(snapshot) if change.kind == "add")

    def diff_ids(self, snapshot: int | None, *, clamp: int | None = None) -> list[str]:
        """Return the diff IDs of a state from the base up, without making blobs."""
        from pybuild.runtime.image.parallel import run_all

        chain = self._snapshotter.layers(snapshot)
        return run_all([partial(self.diff_id, number, clamp=clamp) for number in chain])

    def diff_id(self, snapshot: int, *, clamp: int | None = None) -> str:
        """Return the digest of a snapshot's uncompressed layer, from its record, or computed and recorded."""
        suffix = _suffix(clamp)
        for variant, row in self._rows(snapshot).items():
            if variant == SOURCE or variant.partition("@")[2] == suffix[1:]:
                return row.diff_id
        with self._alone(f"layer-{snapshot}-{TAR}{suffix}", None):
            tar = sha256()
            size = 0

            def sink(data: bytes) -> None:
                nonlocal size
                tar.update(data)
                size += len(data)

            self._write(snapshot, sink, clamp, None)
            diff_id = "sha256:" + tar.hexdigest()
            self._record(
                snapshot, TAR + suffix, Descriptor(OCI_LAYER, diff_id, size, diff_id=diff_id), "none"
            )
        return diff_id

    def is_empty(self, snapshot: int) -> bool:
        """Return whether the snapshot changed nothing. Such a layer is exported all the same, as in
        BuildKit."""
        return next(iter(self._snapshotter.changes(snapshot)), None) is None

    def _recorded(
        self, snapshot: int, compression: Compression, clamp: int | None, force: bool
    ) -> Descriptor | None:
        """Return the recorded layer if its blob is in the store."""
        rows = self._rows(snapshot)
        source = rows.get(SOURCE)
        # A pulled layer is a base layer, whose times are never rewritten.
        names = [_variant(compression, None if source is not None else clamp)]
        if source is not None and (not force or source.media_type == MEDIA_TYPES[compression.name]):
            names.insert(0, SOURCE)
        for name in names:
            row = rows.get(name)
            if row is not None and self._store.blobs.has(row.digest):
                return row
        return None

    def _remade(
        self,
        snapshot: int,
        compression: Compression,
        clamp: int | None,
        cancelled: Callable[[], bool] | None,
    ) -> Descriptor:
        """Make the blob; once more, from the files, if the store's file of the pulled one is damaged."""
        from pybuild.runtime.image.decompression import ArchiveError

        try:
            return self._make(snapshot, compression, clamp, cancelled)
        except (ArchiveError, DigestMismatch):
            source = self._rows(snapshot).get(SOURCE)
            if source is None or not self._store.blobs.drop_damaged(source.digest):
                raise
        return self._make(snapshot, compression, clamp, cancelled)

    def _make(
        self,
        snapshot: int,
        compression: Compression,
        clamp: int | None,
        cancelled: Callable[[], bool] | None,
    ) -> Descriptor:
        """Make the blob: from the pulled blob if there is one, so that the diff ID stays, else from the
        files."""
        source = self._rows(snapshot).get(SOURCE)
        pulled = source is not None and self._store.blobs.has(source.digest)
        with self._store.blobs.writer() as writer:
            tar = _Hash()
            with tar, Compressor(compression, writer.write, threads=self._threads) as compressor:

                def sink(data: bytes) -> None:
                    tar.update(data)
                    compressor.write(data)

                if source is not None and pulled:
                    self._reread(source, sink, cancelled)
                else:
                    self._write(snapshot, sink, None if source is not None else clamp, cancelled)
                compressor.close()
                diff_id = tar.digest()
            # The pulled blob was verified when it was fetched; this finds damage on the disk since.
            if source is not None and pulled and diff_id != source.diff_id:
                raise DigestMismatch(f"layer {source.digest}, uncompressed,", source.diff_id, diff_id)
            digest, size = writer.commit()
        layer = Descriptor(MEDIA_TYPES[compression.name], digest, size, diff_id=diff_id)
        self.keep([digest])
        variant = _variant(compression, None if source is not None else clamp)
        self._record(snapshot, variant, layer, compression.compressor)
        return layer

    def _write(
        self,
        snapshot: int,
        sink: Callable[[bytes], None],
        clamp: int | None,
        cancelled: Callable[[], bool] | None,
    ) -> None:
        changes = self._snapshotter.changes(snapshot)
        write_layer(
            changes,
            _cancellable(sink, cancelled),
            clamp=clamp,
            parents=self._snapshotter.tree(snapshot),
        )

    def _reread(
        self, source: Descriptor, sink: Callable[[bytes], None], cancelled: Callable[[], bool] | None
    ) -> None:
        from pybuild.runtime.image.decompression import pull_decompressed

        sink = _cancellable(sink, cancelled)
        with open(self._store.blobs.path(source.digest), "rb") as file:
            pull = pull_decompressed(file, name=f"layer {source.digest}")
            while piece := pull():
                sink(piece)

    def _rows(self, snapshot: int) -> dict[str, Descriptor]:
        rows = self._store.query(
            "SELECT variant, diff_id, digest, size, media_type FROM layer WHERE snapshot = ?", snapshot
        )
        return {
            str(variant): Descriptor(str(media_type), str(digest), int(str(size)), diff_id=str(diff_id))
            for variant, diff_id, digest, size, media_type in rows
        }

    def _record(self, snapshot: int, variant: str, layer: Descriptor, compressor: str) -> None:
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO layer VALUES (?, ?, ?, ?, ?, ?, ?)",
                (snapshot, variant, layer.diff_id, layer.digest, layer.size, layer.media_type, compressor),
            )

    def _alone(self, name: str, cancelled: Callable[[], bool] | None) -> AbstractContextManager[None]:
        from contextlib import contextmanager

        @contextmanager
        def hold() -> Iterator[None]:
            from threading import Lock

            from pybuild.lang.diagnostics import Cancelled

            with self._guard:
                # The store's lock is between processes; threads of this one wait for each other here.
                mine = self._busy.setdefault(name, Lock())
            with mine:
                lock = self._store.lock(name, cancelled=cancelled)
                if lock is None:
                    raise Cancelled
                try:
                    yield
                finally:
                    lock.remove()

        return hold()


class _Hash:
    """A sha256 of pieces, computed in a thread from the second piece on; at most a few pieces wait."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._first: bytes | None = None
        self._thread: threading.Thread | None = None

    def update(self, data: bytes) -> None:
        if self._thread is None:
            if self._first is None:
                self._first = data
                return
            self._start()
        self._room.acquire()
        self._pieces.put(data)

    def digest(self) -> str:
        """Wait for the pieces and return the digest."""
        if self._thread is None:
            self._hash.update(self._first or b"")
            self._first = b""
        self._stop()
        return "sha256:" + self._hash.hexdigest()

    def _start(self) -> None:
        from queue import SimpleQueue
        from threading import Semaphore, Thread

        self._room = Semaphore(8)
        self._pieces: SimpleQueue[bytes] = SimpleQueue()
        self._hash.update(self._first or b"")
        self._thread = Thread(target=self._run, name="diff-id", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while piece := self._pieces.get():
            self._hash.update(piece)
            self._room.release()

    def _stop(self) -> None:
        if self._thread is not None:
            self._pieces.put(b"")
            self._thread.join()
            self._thread = None

    def __enter__(self) -> _Hash:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()


def _variant(compression: Compression, clamp: int | None) -> str:
    return compression.variant + _suffix(clamp)


def _suffix(clamp: int | None) -> str:
    return "" if clamp is None else f"@{clamp}"


def _cancellable(
    sink: Callable[[bytes], None], cancelled: Callable[[], bool] | None
) -> Callable[[bytes], None]:
    if cancelled is None:
        return sink

    def checked(data: bytes) -> None:
        if cancelled():
            from pybuild.lang.diagnostics import Cancelled

            raise Cancelled
        sink(data)

    return checked


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """Return the OCI chain ID at each layer: its diff ID at the base, else the digest of the chain ID below
    and the diff ID, separated by a space (image specification, config.md)."""
    out: list[str] = []
    for diff_id in diff_ids:
        out.append("sha256:" + sha256(f"{out[-1]} {diff_id}".encode()).hexdigest() if out else diff_id)
    return out
