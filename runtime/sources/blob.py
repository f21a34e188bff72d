"""Single blobs as files, from a registry's repository (`docker-image+blob://`) or a content store of the client
(`oci-layout+blob://`).

As in BuildKit's source/containerblob, the reference has the blob's digest; the file's name is `http.filename`, else
the hash of the digest; its modification time is 1970.
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
        """A provider that can also describe its blobs."""

        def describe(self, digest: str) -> Descriptor: ...


BLOB_SEMANTICS = "blob 1"
REGISTRY, STORED = "docker-image+blob", "oci-layout+blob"
_ATTRIBUTES = frozenset({"http.filename", "http.perm", "http.uid", "http.gid", "image.recordtype"})
_OF_STORES = frozenset({"oci.store", "oci.session"})


class BlobRequest:
    """The parsed source op. `ref` is `NAME@DIGEST`; `store` and `session` identify the client's content store, both
    "" for a registry."""

    __slots__ = ("digest", "gid", "mode", "name", "ref", "session", "store", "uid")

    def __init__(self, op: SourceOp) -> None:
        """Parse the op. Raises UserError."""
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
        """Return the result's key, without any request. Raises UserError."""
        request = BlobRequest(op)
        owner = f"{request.uid}:{request.gid}"
        return digest_of(BLOB_SEMANTICS, request.digest, request.name, f"{request.mode:o}", owner)

    def snapshot(self, op: SourceOp, cancellation: Cancellation, progress: Tracked | None = None) -> int:
        """Return the snapshot with the file, fetching the blob if need be. Raises UserError, Cancelled."""
        request = BlobRequest(op)
        self._store.lease("blob", request.digest)
        if not self._store.blobs.has(request.digest):
            self._fetch(request, Transfer(progress, cancellation, self._waiting))
        file = os.path.join(self._store.work, os.urandom(8).hex() + ".blob")
        _copy(self._store.blobs.path(request.digest), file)
        snapshot = file_snapshot(
            self._snapshotter, file, request.name, request.mode, (request.uid, request.gid), 0
        )
        self._store.lease("snapshot", str(snapshot))
        return snapshot

    def _fetch(self, request: BlobRequest, transfer: Transfer) -> None:
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
    """Copy a blob: a link would share the attributes of the store's file."""
    from shutil import copyfile

    copyfile(source, target)
