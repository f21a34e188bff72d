"""A single blob as a file: of a registry's repository (`docker-image+blob://`), or of a content store of the client
(`oci-layout+blob://`).

The meaning is that of BuildKit's source/containerblob: the blob is named by its digest, and its file by
`http.filename`, else by the digest's hash; the file was last modified in 1970.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.image.descriptor import is_digest
from pybuild.runtime.registry.transfer import Transfer, fetch_blobs
from pybuild.runtime.sources.httprequest import MODE, number, safe_name
from pybuild.runtime.sources.singlefile import file_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.registry.client import Client
    from pybuild.runtime.registry.transfer import Provider
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation

    class Place(Provider, Protocol):
        """Who has a blob."""

        def describe(self, digest: str) -> Descriptor: ...


BLOB_SEMANTICS = "blob 1"
REGISTRY, STORED = "docker-image+blob", "oci-layout+blob"
_ATTRIBUTES = frozenset({"http.filename", "http.perm", "http.uid", "http.gid", "image.recordtype"})
_OF_STORES = frozenset({"oci.store", "oci.session"})


class BlobRequest:
    """A source op, read. `ref` is `NAME@DIGEST`; `store` and `session` say which store of which client, empty for a
    registry."""

    __slots__ = ("digest", "gid", "mode", "name", "ref", "session", "store", "uid")

    def __init__(self, op: SourceOp) -> None:
        """Raises UserError."""
        scheme, _, self.ref = op.identifier.partition("://")
        known = _ATTRIBUTES | (_OF_STORES if scheme == STORED else frozenset())
        unknown = set(op.attrs) - known
        if unknown:
            raise UserError(f"this version does not execute {min(unknown)} of a source")
        self.digest = self.ref.rpartition("@")[2]
        if not is_digest(self.digest):
            raise UserError(
                f"invalid reference digest: {op.identifier} names no blob", help="write NAME@sha256:…"
            )
        self.name = safe_name(op.attrs.get("http.filename") or self.digest.partition(":")[2])
        self.mode = (number(op, "http.perm") & 0o777) or MODE
        self.uid, self.gid = number(op, "http.uid"), number(op, "http.gid")
        self.store, self.session = op.attrs.get("oci.store", ""), op.attrs.get("oci.session", "")
        if scheme == STORED and not self.store:
            raise UserError(f"{op.identifier} names no content store", help="its attribute is oci.store")


class BlobSource:
    """Blobs as files. `content_store` opens a client's content store by its id and session; `registry` makes the
    registry client when it is first needed. Thread-safe."""

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        content_store: Callable[[str, str], Place],
        registry: Callable[[], Client],
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._content_store = content_store
        self._registry = registry
        self._waiting = waiting

    def key(self, op: SourceOp) -> str:
        """Identity of the result; nobody is asked for it. Raises UserError."""
        request = BlobRequest(op)
        owner = f"{request.uid}:{request.gid}"
        return digest_of(BLOB_SEMANTICS, request.digest, request.name, f"{request.mode:o}", owner)

    def snapshot(self, op: SourceOp, cancellation: Cancellation, progress: Tracked | None = None) -> int:
        """The snapshot with the file. Raises UserError, Cancelled."""
        request = BlobRequest(op)
        self._store.lease("blob", request.digest)
        if not self._store.blobs.has(request.digest):
            self._bring(request, Transfer(progress, cancellation, self._waiting))
        copied = os.path.join(self._store.work, os.urandom(8).hex() + ".blob")
        _copy(self._store.blobs.path(request.digest), copied)
        snapshot = file_snapshot(
            self._snapshotter, copied, request.name, request.mode, (request.uid, request.gid), 0
        )
        self._store.lease("snapshot", str(snapshot))
        return snapshot

    def _bring(self, request: BlobRequest, transfer: Transfer) -> None:
        place = self._place(request, transfer)
        fetch_blobs(self._store, place, [place.describe(request.digest)], transfer)

    def _place(self, request: BlobRequest, transfer: Transfer) -> Place:
        if request.store:
            return self._content_store(request.store, request.session)
        from pybuild.compiler.reference import parse
        from pybuild.runtime.registry.pull import RegistryProvider

        ref = parse(request.ref)
        repositories = self._registry().repositories(ref.domain, ref.path, cancelled=transfer.cancelled)
        return RegistryProvider(repositories)


def _copy(source: str, target: str) -> None:
    """A file of its own: a blob's attributes are the store's."""
    from shutil import copyfile

    copyfile(source, target)
