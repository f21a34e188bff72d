"""The client of a build: gives it local files, secrets, agents and logins while it runs.

`LocalClient` gives what the flags of a command name, `SessionClient` what a session over the wire offers. Cache keys
depend on none of it but the content of files. Secrets and agents are `session.types`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
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
    """The parts of an engine that its client works with: the open store, the runner that starts programs (None if
    no program can be started), and the observer of progress."""

    __slots__ = ("observer", "runner", "store")

    def __init__(self, store: Store, runner: Runner | None, observer: Observer) -> None:
        self.store = store
        self.runner = runner
        self.observer = observer


class ContentStore(Protocol):
    """Blobs that a client has; a provider of `registry.transfer`."""

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Write a blob to `writer`, from the writer's offset to the end. Raises UserError."""

    def describe(self, digest: str) -> Descriptor:
        """Return the descriptor of a blob, without a media type. Raises UserError if the blob is missing."""


class Client(Protocol):
    """The client of one build. Thread-safe. The engine calls `enter` first and `close` last.

    `directories` are the paths of local sources by their names in the graph; `named` are the OCI layouts and archives
    (`oci-layout://PATH…`, `docker-archive:PATH…`) by the names of images in the graph. Both are read-only: `provide`
    is the one way to add to them. `credentials` are the logins to registries, None for those of this machine's user.
    """

    secrets: Secrets
    agents: Agents
    credentials: Credentials | None
    directories: Mapping[str, bytes]
    named: Mapping[str, str]

    def provide(
        self, *, directories: Mapping[str, bytes] | None = None, images: Mapping[str, str] = ...
    ) -> None:
        """Add directories and images that are known only once the engine is open."""

    def withdraw(self, directory: str) -> None:
        """Remove the name of a directory. Raises KeyError."""

    def enter(self, place: Workplace) -> None:
        """Take the engine's parts, once the process is in the build's namespaces."""

    def tree(self, vertex: Vertex, cancellation: Cancellation) -> LocalTree:
        """Return the tree of a local source, which does not change until `close`. Raises UserError, Cancelled."""

    def outside(self, name: str) -> str:
        """Return an opaque text for what the local source `name` depends on besides the graph."""

    def content_store(self, id: str, session: str = "") -> ContentStore:
        """Open the content store `id` of this client, or of the client of another `session`. Raises UserError."""

    def upload(self, path: str) -> Iterator[bytes]:
        """Yield the bytes that the client sends for `http://buildkit-session/PATH`. Raises UserError."""

    def close(self) -> None:
        """Release agents and trees. Idempotent."""
