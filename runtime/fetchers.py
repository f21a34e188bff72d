"""The sources that fetch from the network, each built when a graph first reads from it."""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.clients.client import Client
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.client import Client as RegistryClient
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.blob import BlobSource
    from pybuild.runtime.sources.git import GitSource
    from pybuild.runtime.sources.http import HttpSource


class Fetchers:
    """HTTP, git and blob sources of one build. Thread-safe. `cancellation` is the build's."""

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        client: Client,
        observer: Observer,
        cancellation: Cancellation,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._client = client
        self._observer = observer
        self._cancellation = cancellation
        self._http: HttpSource | None = None
        self._git: GitSource | None = None
        self._guard = threading.Lock()

    def http(self) -> HttpSource:
        """Return the source of files at HTTP addresses."""
        from pybuild.runtime.sources.http import HttpSource

        with self._guard:
            if self._http is None:
                self._http = HttpSource(
                    self._store,
                    self._snapshotter,
                    self._client.secrets,
                    self._waiting,
                    upload=self._client.upload,
                )
            return self._http

    def git(self) -> GitSource:
        """Return the source of git repositories."""
        from pybuild.runtime.sources.git import GitSource

        with self._guard:
            if self._git is None:
                client = self._client
                self._git = GitSource(
                    self._store, self._snapshotter, client.secrets, client.agents, self._waiting
                )
            return self._git

    def blobs(self, registry: Callable[[], RegistryClient]) -> BlobSource:
        """Build the source of single blobs; `registry` returns the build's registry client."""
        from pybuild.runtime.sources.blob import BlobSource

        return BlobSource(self._store, self._snapshotter, self._client.content_store, registry, self._waiting)

    def source_time(self, op: SourceOp) -> int | None:
        """Return the Unix time of a git source's commit or of an HTTP source's Last-Modified, None if it has none.
        Raises UserError, Cancelled."""
        if op.identifier.startswith("git://"):
            return self.git().time(op, self._cancellation)
        return self.http().time(op, self._cancellation)

    def close(self) -> None:
        """Close connections. Idempotent."""
        if self._http is not None:
            self._http.close()

    def _waiting(self, holder: str) -> None:
        self._observer.waiting(f"waiting for {holder}, which fetches from the same address")
