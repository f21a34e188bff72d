"""Images as sources: resolves names, then fetches and unpacks layers when something needs the files."""

from __future__ import annotations

import threading

from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.unpack import unpack
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.registry.transfer import Transfer, fetch_blobs, read_blob
from pybuild.runtime.sources.image import ImageSource
from pybuild.runtime.sources.resolve import ImageResolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import Platform
    from pybuild.runtime.clients.client import Client as BuildClient
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor, ImageContent
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.client import Client
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.archive import ArchiveSource
    from pybuild.runtime.sources.layout import LayoutSource
    from pybuild.runtime.sources.resolve import Resolved

_PULLS = {"": None, "default": None, "pull": True, "local": False}
"""An op's resolve mode: True asks the registry for known tags again, None leaves that to the build's options."""


class Images:
    """Resolves and unpacks images of registries, and of layouts and archives that the client names. Thread-safe."""

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        observer: Observer,
        *,
        client: BuildClient,
        hosts: Hosts | None,
        pull: bool,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._observer = observer
        self._build_client = client
        self._resolved: dict[tuple[str, Platform], Resolved] = {}
        self._archives: ArchiveSource | None = None
        self._open_layouts: LayoutSource | None = None
        self._hosts = hosts
        self._guard = threading.Lock()
        self._registry: Client | None = None
        self._resolver = ImageResolver(store, self.client, pull=pull)
        self._source = ImageSource(store, self._resolver, self.client)

    def client(self) -> Client:
        """Return the registry client, built when the network is first needed."""
        from pybuild.runtime.registry.client import Client

        with self._guard:
            if self._registry is None:
                self._registry = Client(
                    self._hosts, self._build_client.credentials, tell=self._observer.waiting
                )
            return self._registry

    def resolve_image(
        self, ref: str, platform: Platform, cancellation: Cancellation, *, pull: bool | None = None
    ) -> Resolved:
        """Resolve a reference to the image of a platform. `pull` asks the registry even for a known tag; None leaves
        that to the build's options. Raises UserError, Cancelled."""
        return self._resolver.resolve(ref, platform, pull=pull, cancelled=cancellation, on_wait=self._waiting)

    def built_here(self, name: str) -> bool:
        """Report whether a build on this machine has tagged an image with the canonical `name`."""
        return bool(self._store.query("SELECT 1 FROM image WHERE name = ?", name))

    def image_content(self, op: SourceOp, platform: Platform, cancellation: Cancellation) -> ImageContent:
        """Return the image of a `docker-image://` op. Raises UserError, also if it does not match the op's
        checksum."""
        ref = op.identifier.partition("://")[2]
        mode, checksum = op.attrs.get("image.resolvemode", ""), op.attrs.get("image.checksum", "")
        if mode not in _PULLS:
            raise UserError(f"invalid resolve mode of {ref}: {mode}")
        image = self._resolver.resolve(
            ref, platform, pull=_PULLS[mode], cancelled=cancellation, on_wait=self._waiting
        )
        if checksum not in ("", image.digest):
            raise UserError(f"image digest {image.digest} for {ref} does not match expected {checksum}")
        return image.content()

    def resolve_named(self, name: str, platform: Platform, cancellation: Cancellation) -> Resolved:
        """Resolve the name of a layout or archive to the image of a platform, once in a build. Raises UserError."""
        known = self._resolved.get((name, platform))
        if known is None:
            transfer = Transfer(None, cancellation, self._waiting)
            kind, place = self._place(name)
            source = self._docker_archives if kind == "docker-archive" else self._layouts
            image = source.resolve(place, platform, transfer)
            # The graph names it `NAME@DIGEST`: its path on this machine must not get into vertex digests.
            known = self._resolved.setdefault((name, platform), image.named(f"{name}@{image.digest}"))
        return known

    def named_content(self, op: SourceOp, platform: Platform, cancellation: Cancellation) -> ImageContent:
        """Return the image `NAME@DIGEST` of an `oci-layout://` op. Raises UserError."""
        ref = op.identifier.partition("://")[2]
        name, digest = self._name(op), ref.partition("@")[2]
        if self._is_stored(op):
            store, session = op.attrs["oci.store"], op.attrs.get("oci.session", "")
            return self.resolve_stored(ref, platform, store, session, cancellation).content()
        kind, place = self._place(name)
        if digest and kind != "docker-archive":
            from pybuild.runtime.sources.layout import LayoutName, parse_layout_name

            known = self._resolved.get((name, platform))
            if known is None or known.digest != digest:
                pinned = LayoutName(parse_layout_name(place).path, digest=digest)
                transfer = Transfer(None, cancellation, self._waiting)
                return self._layouts.resolve(pinned, platform, transfer).content()
        image = self.resolve_named(name, platform, cancellation)
        if digest and image.digest != digest:
            raise UserError(
                f"{place} does not hold the image {digest} of the graph", help="has it changed? build again"
            )
        return image.content()

    def resolve_stored(
        self, ref: str, platform: Platform, store: str, session: str, cancellation: Cancellation
    ) -> Resolved:
        """Resolve `NAME@DIGEST` in the content store `store` of the client, or of the client of `session` unless that
        is empty. Raises UserError, Cancelled."""
        from pybuild.runtime.image.descriptor import Descriptor, is_digest
        from pybuild.runtime.sources.choice import choose
        from pybuild.runtime.sources.resolve import Resolved

        digest = ref.rpartition("@")[2]
        if not is_digest(digest):
            raise UserError(f"the OCI layout reference {ref!r} has no digest", help="write NAME@sha256:…")
        provider, blobs = self._build_client.content_store(store, session), self._store.blobs
        self._store.lease("blob", digest)
        here = blobs.has(digest)
        root = Descriptor("", digest, blobs.size(digest)) if here else provider.describe(digest)
        transfer = Transfer(None, cancellation, self._waiting)

        def read(descriptor: Descriptor) -> bytes:
            return read_blob(self._store, provider, descriptor, transfer)

        return Resolved(ref, digest, choose(root, read, platform, ref))

    def _is_stored(self, op: SourceOp) -> bool:
        """Report whether an `oci-layout://` op reads a content store of the client."""
        return self._name(op) not in self._build_client.named and "oci.store" in op.attrs

    def _name(self, op: SourceOp) -> str:
        """Return the client's name for the layout of an `oci-layout://` op: that of its store, else of its image."""
        store = op.attrs.get("oci.store", "")
        return (
            store
            if store in self._build_client.named
            else op.identifier.partition("://")[2].partition("@")[0]
        )

    def unpack(self, content: ImageContent, vertex: Vertex, cancellation: Cancellation) -> int | None:
        """Return the snapshot of an image, None if it has no layers. Fetching and unpacking overlap."""
        tracked = Tracked(self._observer, vertex.name, vertex.digest)
        assert isinstance(vertex.op, SourceOp)
        op = vertex.op
        with _Arrival(self._store, lambda: self._fetch(op, content, tracked, cancellation)) as arrival:
            return unpack(
                self._store,
                self._snapshotter,
                content.layers,
                wait_blob=arrival.wait,
                tracked=tracked,
                cancelled=cancellation,
                notice=self._observer.notice,
            )

    def _fetch(
        self, op: SourceOp, content: ImageContent, tracked: Tracked, cancellation: Cancellation
    ) -> None:
        scheme, _, name = op.identifier.partition("://")
        transfer = Transfer(tracked, cancellation, self._waiting)
        if scheme == "oci-layout" and self._is_stored(op):
            provider = self._build_client.content_store(
                op.attrs["oci.store"], op.attrs.get("oci.session", "")
            )
            fetch_blobs(self._store, provider, content.layers, transfer)
        elif scheme == "oci-layout":
            self._fetch_named(self._name(op), content, transfer)
        else:
            self._source.fetch(name, content.layers, transfer)

    def _fetch_named(self, name: str, content: ImageContent, transfer: Transfer) -> None:
        kind, place = self._place(name)
        if kind == "docker-archive":
            from pybuild.runtime.sources.archive import parse_archive_name

            self._docker_archives.fetch(parse_archive_name(place).path, content.layers, transfer)
        else:
            from pybuild.runtime.sources.layout import parse_layout_name

            self._layouts.fetch(parse_layout_name(place).path, content.layers, transfer)

    def _place(self, name: str) -> tuple[str, str]:
        """Return the kind (`oci-layout`, `docker-archive`) and the path of a named image."""
        address = self._build_client.named.get(name)
        if address is None:
            raise UserError(
                f"the graph names an OCI layout {name!r} that was not given",
                help=f"give it with --build-context {name}=oci-layout://PATH",
            )
        kind, _, place = address.partition(":")
        return kind, place.removeprefix("//")

    @property
    def _layouts(self) -> LayoutSource:
        from pybuild.runtime.sources.layout import LayoutSource

        with self._guard:
            if self._open_layouts is None:
                self._open_layouts = LayoutSource(self._store)
            return self._open_layouts

    @property
    def _docker_archives(self) -> ArchiveSource:
        from pybuild.runtime.sources.archive import ArchiveSource

        with self._guard:
            if self._archives is None:
                self._archives = ArchiveSource(self._store)
            return self._archives

    def _waiting(self, holder: str) -> None:
        self._observer.waiting(f"waiting for {holder}, which fetches a layer of the same image")

    def close(self) -> None:
        """Close connections, layouts and archives. Idempotent."""
        # No lock: the solver has ended, so nothing else uses them.
        for opened in (self._registry, self._open_layouts, self._archives):
            if opened is not None:
                opened.close()


class _Arrival:
    """Fetches blobs in a thread of its own, started by the first `wait` for a blob that is missing."""

    def __init__(self, store: Store, fetch: Callable[[], None]) -> None:
        self._store = store
        self._fetch = fetch
        self._error: BaseException | None = None
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def wait(self, blob: Descriptor) -> None:
        """Return when a blob is in the store. Raises what the fetch raised."""
        self._store.lease("blob", blob.digest)
        if self._store.blobs.has(blob.digest):
            return
        # Also once more, for a blob that was damaged and has been removed.
        if self._thread is None or (self._done.is_set() and self._error is None):
            self._done.clear()
            self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)
            self._thread.start()
        # Polled: the fetch tells only when all blobs are there.
        while not self._store.blobs.has(blob.digest):
            if self._done.wait(0.01):
                break
        if self._error is not None and not self._store.blobs.has(blob.digest):
            raise self._error

    def _run(self) -> None:
        try:
            self._fetch()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def __enter__(self) -> _Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.join()
