"""Pushes of images: blobs first and several at once, then manifests from the leaves up, the tag last.

A reader of the tag sees the earlier image or the whole new one. Everything the registry has is skipped, so a
push that was interrupted is simply run again.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.blobs import DamagedBlob
from pybuild.runtime.image.manifest import Index, Manifest, parse
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.transfer import Transfer, fetch_blob, run_parallel
from pybuild.runtime.registry.upload import mount, upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.registry.client import Client, Repository


class IncompleteImage(UserError):
    """A piece of the image is neither in the store nor in a repository that is known to have it."""


def push(
    client: Client,
    store: Store,
    root: Descriptor,
    reference: Reference,
    transfer: Transfer | None = None,
    *,
    by_digest: bool = False,
) -> str:
    """Push the manifest or index `root`, with all beneath it, to `reference`. Returns its digest.

    Manifests and configs are read from the store's blobs. A layer the store lacks is mounted from, or copied
    through the store from, a repository that `blob_source` knows to have it. With `by_digest` no tag is set.
    Idempotent. Raises RegistryError, IncompleteImage, DigestMismatch, Cancelled.
    """
    from pybuild.compiler.reference import DEFAULT_TAG

    transfer = transfer or Transfer()
    repository = client.repository(reference.domain, reference.path, cancelled=transfer.cancelled)
    target = root.digest if by_digest else reference.tag or DEFAULT_TAG
    if repository.has_manifest(target) == root.digest:
        return root.digest
    return _Push(client, store, repository, transfer).run(root, target)


class _Push:
    def __init__(self, client: Client, store: Store, repository: Repository, transfer: Transfer) -> None:
        self._client = client
        self._store = store
        self._repository = repository
        self._transfer = transfer

    def run(self, root: Descriptor, target: str) -> str:
        blobs: dict[str, Descriptor] = {}
        manifests: dict[str, tuple[Descriptor, bytes]] = {}
        self._collect(root, blobs, manifests, 0)
        run_parallel([self._job(blob) for blob in blobs.values()], self._transfer)
        self._record(list(blobs))
        for descriptor, data in manifests.values():
            if descriptor.digest == root.digest:
                continue
            if not self._repository.has_manifest(descriptor.digest):
                self._repository.put_manifest(descriptor.digest, descriptor.media_type, data)
        return self._repository.put_manifest(target, root.media_type, manifests[root.digest][1])

    def _collect(
        self,
        descriptor: Descriptor,
        blobs: dict[str, Descriptor],
        manifests: dict[str, tuple[Descriptor, bytes]],
        depth: int,
    ) -> None:
        """Collect everything beneath `descriptor`, manifests after those they refer to. Foreign layers are
        left out."""
        if descriptor.digest in manifests:
            return
        try:
            data = self._store.blobs.read(descriptor.digest)
        except FileNotFoundError:
            raise IncompleteImage(
                f"the manifest {descriptor.digest} is not in the store", help="build the image again"
            ) from None
        try:
            manifest = parse(data, descriptor.media_type)
        except ValueError as error:
            raise errors.bad_manifest(descriptor.digest, str(error)) from None
        if isinstance(manifest, Index) and depth < 8:
            for child in manifest.manifests:
                self._collect(child, blobs, manifests, depth + 1)
        elif isinstance(manifest, Manifest):
            for blob in (manifest.config, *manifest.layers):
                if not blob.is_foreign:
                    blobs[blob.digest] = blob
        else:
            raise errors.unsupported_manifest(descriptor.digest, descriptor.media_type)
        manifests[descriptor.digest] = (descriptor, data)

    def _job(self, blob: Descriptor) -> Callable[[Transfer], None]:
        return lambda watched: self._push_blob(blob, watched)

    def _push_blob(self, blob: Descriptor, transfer: Transfer) -> None:
        repository, store = self._repository, self._store
        report = transfer.reporter(f"pushing {blob.digest}", blob.size)
        report(0)
        if not repository.has_blob(blob.digest):
            origin = self._mountable(blob.digest)
            store.lease("blob", blob.digest)
            if not store.blobs.has(blob.digest):
                if origin and mount(repository, blob.digest, origin):
                    return report(blob.size)
                self._fetch(blob, transfer)
                origin = ""
            try:
                self._upload(blob, origin, report)
            except errors.ServerFailure:
                # A registry refuses bytes that don't have their digest.
                if not store.blobs.drop_damaged(blob.digest):
                    raise
                if not self._sources(blob.digest):
                    raise DamagedBlob(store.blobs.path(blob.digest), blob.digest) from None
                self._fetch(blob, transfer)
                self._upload(blob, "", report)
        report(blob.size)

    def _upload(self, blob: Descriptor, origin: str, report: Callable[[int], None]) -> None:
        path = self._store.blobs.path(blob.digest)
        upload(self._repository, blob.digest, path, mount_from=origin, report=report)

    def _sources(self, digest: str) -> list[tuple[str, str]]:
        """Return the (registry, repository) pairs known to have the blob."""
        rows = self._store.query("SELECT source FROM blob_source WHERE digest = ? ORDER BY source", digest)
        pairs = [str(source).partition("/") for (source,) in rows]
        return [(domain, path) for domain, _, path in pairs if path]

    def _mountable(self, digest: str) -> str:
        """Return a repository of the same registry that has the blob, the nearest by name; "" when none
        has."""
        own = self._repository
        paths = [
            path
            for domain, path in self._sources(digest)
            if domain == own.session.endpoint.domain and path != own.name
        ]
        parts = own.name.split("/")
        return max(paths, key=lambda path: _shared(path.split("/"), parts), default="")

    def _fetch(self, blob: Descriptor, transfer: Transfer) -> None:
        """Fetch a blob that the store lacks from wherever it is known to be."""
        from pybuild.runtime.registry.pull import RegistryProvider

        failure: UserError | None = None
        for domain, path in self._sources(blob.digest):
            repositories = self._client.repositories(domain, path, cancelled=transfer.cancelled)
            try:
                self._store.lease("blob", blob.digest)
                return fetch_blob(self._store, RegistryProvider(repositories), blob, transfer)
            except errors.RegistryError as error:
                failure = failure or error
        raise failure or IncompleteImage(
            f"the layer {blob.digest} is not in the store, and no registry is known to have it",
            help="build the image again",
        )

    def _record(self, digests: list[str]) -> None:
        source = self._repository.source
        with self._store.transaction() as db:
            db.executemany(
                "INSERT OR IGNORE INTO blob_source (digest, source) VALUES (?, ?)",
                [(digest, source) for digest in digests],
            )


def _shared(one: list[str], other: list[str]) -> int:
    """Return how many components two paths share from their start."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
