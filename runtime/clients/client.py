"""Whom a build is for: what it is given while it runs, by the flags of a command or in a session over the wire.

None of it is part of a key, but for what is read of it. Secrets and agents are `session.types`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from typing import Protocol

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.image.descriptor import Descriptor
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.credentials import Credentials
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.local import LocalTree

else:
    Protocol = object


class Workplace:
    """What an engine gives to its client: the open store, the runner that programs are started by (None: none can
    be), and where progress goes."""

    __slots__ = ("observer", "runner", "store")

    def __init__(self, store: Store, runner: Runner | None, observer: Observer) -> None:
        self.store = store
        self.runner = runner
        self.observer = observer


class ContentStore(Protocol):
    """Blobs that a client has; a provider of `registry.transfer`."""

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Bring `writer` from its offset to the blob's end. Raises UserError."""

    def describe(self, digest: str) -> Descriptor:
        """A blob by its digest, of no media type. Raises UserError: it isn't there."""


class Client(Protocol):
    """One build's client. Thread-safe. `enter` comes first, `close` last; both are the engine's to call.

    `directories` and `named` are what the graph's local names and OCI layout names stand for (`oci-layout://PATH…`,
    `docker-archive:PATH…`) on this machine; a build may add to both. `credentials` are the logins to registries, None
    for those of this machine's user.
    """

    secrets: Secrets
    agents: Agents
    credentials: Credentials | None
    directories: MutableMapping[str, bytes]
    named: MutableMapping[str, str]

    def enter(self, place: Workplace) -> None: ...

    def tree(self, vertex: Vertex, cancellation: Cancellation) -> LocalTree:
        """The tree of a local source, which stays as it is until `close`. Raises UserError, Cancelled."""

    def outside(self, name: str) -> str:
        """What the local source `name` depends on besides the graph, as an opaque text."""

    def content_store(self, id: str, session: str = "") -> ContentStore:
        """The content store `id` of the client, or of another one's `session`. Raises UserError."""

    def upload(self, path: str) -> Iterator[bytes]:
        """What the client sends for `http://buildkit-session/PATH`. Raises UserError."""

    def close(self) -> None:
        """Idempotent."""
