"""Resolves image references to manifests and configs, from the store or the registry.

A tag that was resolved before, or that a build gave to an image of the store, is not requested again without `pull`,
if manifest and config are in the store. A reference with a digest needs no network once its blobs are in the store.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.blobs import BlobError
from pybuild.runtime.image.descriptor import Descriptor
from pybuild.runtime.registry.errors import NotFound, RegistryError
from pybuild.runtime.registry.transfer import Transfer, read_blob
from pybuild.runtime.sources.choice import Chosen, choose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import Platform
    from pybuild.compiler.reference import Reference
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import ImageContent
    from pybuild.runtime.registry.client import Client, Repository


class Resolved:
    """A resolved image. `ref` is its canonical name with `@digest`; `digest` is that of the manifest or index that
    the name leads to; `manifest` is the descriptor of the platform's manifest, `config` the bytes of its config."""

    __slots__ = ("_chosen", "digest", "ref")

    def __init__(self, ref: str, digest: str, chosen: Chosen) -> None:
        self.ref = ref
        self.digest = digest
        self._chosen = chosen

    def named(self, ref: str) -> Resolved:
        """Return the same image under another reference."""
        return Resolved(ref, self.digest, self._chosen)

    @property
    def manifest(self) -> Descriptor:
        """The descriptor of the platform's manifest."""
        return self._chosen.descriptor

    @property
    def config(self) -> bytes:
        """The bytes of the config."""
        return self._chosen.config

    def content(self) -> ImageContent:
        """Return the image with its layers. Raises BadContent if manifest and config disagree."""
        return self._chosen.content(self.ref)


class _Absent(Exception):
    """The store lacks a blob."""


class ImageResolver:
    """Resolves references for one build, each once, so that every stage sees one image. Thread-safe.

    `client` returns the registry client when the network is needed; with `pull`, known tags are requested again.
    """

    def __init__(self, store: Store, client: Callable[[], Client], *, pull: bool = False) -> None:
        from threading import Lock

        self._store = store
        self._client = client
        self._pull = pull
        self._known: dict[tuple[str, Platform], Resolved] = {}
        self._roots: dict[str, Descriptor] = {}
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    def resolve(
        self,
        ref: Reference | str,
        platform: Platform,
        *,
        pull: bool | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> Resolved:
        """Resolve `ref` to the image of a platform. Its manifest and config are in the store afterwards, its layers
        need not be. `pull` overrides the resolver's. `on_wait` is called with the holder of a lock that is waited
        for.

        Raises RegistryError, NoSuchPlatform, DigestMismatch, InvalidReference, Cancelled.
        """
        from threading import Lock

        if isinstance(ref, str):
            from pybuild.compiler.reference import parse

            ref = parse(ref)
        name = ref.canonical
        # One lock for each name, so that only equal requests wait for each other.
        with self._guard:
            lock = self._locks.setdefault(name, Lock())
        with lock:
            image = self._known.get((name, platform))
            if image is None:
                transfer = Transfer(None, cancelled, on_wait)
                image = self._resolve(ref, platform, self._pull if pull is None else pull, transfer)
                self._known[name, platform] = image
            return image

    def _resolve(self, ref: Reference, platform: Platform, pull: bool, transfer: Transfer) -> Resolved:
        for root in self._candidates(ref, pull):
            try:
                return self._from_store(ref, root, platform)
            except _Absent:
                continue
        return self._from_registry(ref, platform, transfer)

    def _candidates(self, ref: Reference, pull: bool) -> list[Descriptor]:
        """Return the manifests and indexes that the reference may lead to without the network, the best first."""
        if ref.digest is not None:
            try:
                return [Descriptor("", ref.digest, self._store.blobs.size(ref.digest))]
            except FileNotFoundError:
                return []
        name = ref.canonical
        if name in self._roots:
            return [self._roots[name]]
        if pull:
            return []
        rows = self._store.query("SELECT media_type, digest, size FROM image WHERE name = ?", name)
        rows += self._store.query("SELECT media_type, digest, size FROM resolved WHERE ref = ?", name)
        return [Descriptor(str(media), str(digest), int(str(size))) for media, digest, size in rows]

    def _from_store(self, ref: Reference, root: Descriptor, platform: Platform) -> Resolved:
        def read(descriptor: Descriptor) -> bytes:
            self._store.lease("blob", descriptor.digest)  # first, so that it can't be pruned in between
            try:
                return self._store.blobs.read(descriptor.digest)
            except FileNotFoundError:
                raise _Absent from None

        return self._resolved(ref, root, choose(root, read, platform, ref.familiar))

    def _from_registry(self, ref: Reference, platform: Platform, transfer: Transfer) -> Resolved:
        """Try the mirrors in order, then the registry itself, whose error is the one to raise."""
        client = self._client()
        repositories = client.repositories(ref.domain, ref.path, cancelled=transfer.cancelled)
        failed: list[tuple[Repository, UserError]] = []
        for number, repository in enumerate(repositories):
            try:
                return self._ask(ref, platform, repositories[number:], transfer)
            except (RegistryError, BlobError) as error:
                failed.append((repository, error))
        *mirrors, (_, last) = failed
        for mirror, failure in mirrors:
            last.diagnostic = last.diagnostic.with_note("mirror", f"{mirror.host}: {failure}")
        raise last

    def _ask(
        self, ref: Reference, platform: Platform, repositories: list[Repository], transfer: Transfer
    ) -> Resolved:
        from pybuild.runtime.registry.pull import RegistryProvider

        repository, store = repositories[0], self._store
        root, data = self._root(ref, repository)
        store.lease("blob", root.digest)
        if data is None and not store.blobs.has(root.digest):
            root, data = repository.manifest(root.digest)
        if data is not None:
            store.blobs.put(data)
        provider = RegistryProvider(repositories)
        chosen = choose(
            root, lambda descriptor: read_blob(store, provider, descriptor, transfer), platform, ref.familiar
        )
        self._remember(ref, root, chosen, repository.source)
        return self._resolved(ref, root, chosen)

    def _root(self, ref: Reference, repository: Repository) -> tuple[Descriptor, bytes | None]:
        """Resolve the reference at a registry. A second platform of a tag gets the index that the first one got,
        though the tag may have moved."""
        from pybuild.compiler.reference import DEFAULT_TAG

        known = self._roots.get(ref.canonical)
        if known is not None:
            try:
                return repository.resolve(known.digest)
            except NotFound:
                pass
        return repository.resolve(ref.digest or ref.tag or DEFAULT_TAG)

    def _remember(self, ref: Reference, root: Descriptor, chosen: Chosen, source: str) -> None:
        from time import time

        store = self._store
        for digest in {root.digest, chosen.descriptor.digest, chosen.manifest.config.digest}:
            store.lease("blob", digest)
        pieces = (chosen.manifest.config, *chosen.manifest.layers)
        known = store.query("SELECT 1 FROM resolved WHERE ref = ? AND digest = ?", ref.canonical, root.digest)
        with store.transaction() as db:
            if ref.digest is None:
                db.execute(
                    "INSERT OR REPLACE INTO resolved (ref, digest, media_type, size, checked) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (ref.canonical, root.digest, root.media_type, root.size, time()),
                )
            db.executemany(
                "INSERT OR IGNORE INTO blob_source (digest, source) VALUES (?, ?)",
                [(piece.digest, source) for piece in pieces if not piece.is_foreign],
            )
        # Records of cached builds depend on what tags resolve to.
        if ref.digest is None and not known:
            store.bump()

    def _resolved(self, ref: Reference, root: Descriptor, chosen: Chosen) -> Resolved:
        from pybuild.compiler.reference import DEFAULT_TAG

        if ref.digest is None:
            self._roots.setdefault(ref.canonical, root)
        tagged = ref if ref.tag or ref.digest else ref.with_tag(DEFAULT_TAG)
        return Resolved(tagged.with_digest(root.digest).canonical, root.digest, chosen)
