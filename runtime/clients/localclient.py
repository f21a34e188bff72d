"""The client of a build that a command starts on its own machine: gives what the command's flags name."""

from __future__ import annotations

import os
from types import MappingProxyType

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.clients.client import Client
from pybuild.runtime.clients.localnames import LocalNames
from pybuild.runtime.session.agents import ClientAgents
from pybuild.runtime.session.secrets import ClientSecrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.clients.client import ContentStore, Workplace
    from pybuild.runtime.session.agents import AgentSource
    from pybuild.runtime.session.secrets import SecretSource
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.local import LocalTree

_CHUNK = 1 << 20


class LocalClient(LocalNames, Client):
    """The client of a command line. Directories are read in place.

    `uploads` are paths of files by the names they have at the host UPLOADS; `provide_upload` adds one.
    """

    def __init__(
        self,
        *,
        directories: Mapping[str, bytes] | None = None,
        named: Mapping[str, str] | None = None,
        secrets: Sequence[SecretSource] = (),
        agents: Sequence[AgentSource] = (),
    ) -> None:
        super().__init__(directories, named)
        self.uploads: Mapping[str, str] = MappingProxyType({})
        self.credentials = None
        self.secrets = ClientSecrets(secrets)
        self._sources = tuple(agents)
        self.agents = self._agents = ClientAgents(self._sources)
        self._place: Workplace | None = None
        self._store_inside = False

    def provide_upload(self, name: str, path: str) -> None:
        """Send the file at `path` for `http://buildkit-session/NAME`."""
        self.uploads = MappingProxyType({**self.uploads, name: path})

    def enter(self, place: Workplace) -> None:
        self._place = place
        self.agents = self._agents = ClientAgents(self._sources, lambda: place.store.work, place.runner)

    def tree(self, vertex: Vertex, cancellation: Cancellation) -> LocalTree:
        from pybuild.runtime.sources.attributes import patterns, source_of
        from pybuild.runtime.sources.leftout import left_out
        from pybuild.runtime.sources.local import LocalTree
        from pybuild.runtime.sources.statcache import StatCache

        op = source_of(vertex)
        name = op.identifier.partition("://")[2]
        if name not in self.directories:
            raise UserError(f"the graph reads a local directory {name!r} that was not given")
        assert self._place is not None
        root = self.directories[name]
        excludes, includes = patterns(op, "local.excludepatterns"), patterns(op, "local.includepattern")
        return LocalTree(
            root,
            StatCache(self._place.store.path("stat"), root),
            ignored=left_out([*excludes, *self._store_pattern(root)], includes),
            selected=[os.fsencode(path) for path in patterns(op, "local.followpaths")],
        )

    def outside(self, name: str) -> str:
        return os.fsdecode(self.directories.get(name, b""))

    def content_store(self, id: str, session: str = "") -> ContentStore:
        raise UserError(
            f"the graph reads an image of the content store {id!r}, and no client offers one",
            help="build it through `pybuild serve` with a client that does",
        )

    def upload(self, path: str) -> Iterator[bytes]:
        name = path.removeprefix("/")
        if name in self.uploads:
            with open(self.uploads[name], "rb") as file:
                while data := file.read(_CHUNK):
                    yield data
            return
        raise UserError(
            f"the graph reads what a client uploads as {path!r}, and no client does",
            help="build it through `pybuild serve` with a client that does",
        )

    def close(self) -> None:
        self._agents.close()

    def _store_pattern(self, root: bytes) -> list[str]:
        """Return a pattern that leaves out the store if it lies in the directory `root`, and say so once."""
        from pybuild.runtime.sources.leftout import pattern_of

        assert self._place is not None
        store, observer = self._place.store, self._place.observer
        pattern = pattern_of(store.root, root)
        if pattern and not self._store_inside:
            self._store_inside = True
            observer.notice(f"the store {store.root} lies in what is read, and is left out of it")
        return pattern
