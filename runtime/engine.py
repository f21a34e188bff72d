"""The engine: an open store with everything that solving needs, put together.

Opening it moves the process into the build's namespaces, so it is done in the main thread, before any other
thread exists, and once a process.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from time import time

from pybuild.compiler.graph import walk
from pybuild.compiler.ops import ExecOp, NetMode
from pybuild.runtime.announcer import Announcer
from pybuild.runtime.cache.records import Records
from pybuild.runtime.content.store import Store, make_root
from pybuild.runtime.images import Images
from pybuild.runtime.ops.entitlements import Entitlements
from pybuild.runtime.ops.operations import Operations
from pybuild.runtime.ops.remote import GitHandler, HttpHandler
from pybuild.runtime.ops.results import View
from pybuild.runtime.ops.sources import ImageHandler, LocalHandler, patterns
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.session.agents import ClientAgents
from pybuild.runtime.session.secrets import ClientSecrets
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.solver.solver import Solver
from pybuild.runtime.solver.types import Cancellation, Input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.compiler.ops import Op, SourceOp
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.ops.handlers import Handler
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.network import NetworkPool
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.session.agents import AgentSource
    from pybuild.runtime.session.secrets import SecretSource
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.sources.git import GitSource
    from pybuild.runtime.sources.http import HttpSource
    from pybuild.runtime.sources.local import LocalTree

SYNC_AFTER = 60
"""Seconds after which the kernel has written a snapshot's files by itself, so that a syncfs costs little."""


class EngineOptions:
    """How to build. `directories` are what the graph's local names stand for, `named` what its OCI
    layout names stand for (`oci-layout://PATH…`, `docker-archive:PATH…`);
    `allow` holds granted entitlements; `parallelism` 0 leaves it to the machine. `secrets` and `agents` are what
    the client gives."""

    __slots__ = (
        "agents",
        "allow",
        "directories",
        "hosts",
        "isolate",
        "named",
        "parallelism",
        "pull",
        "root",
        "secrets",
    )

    def __init__(
        self,
        root: str,
        *,
        directories: Mapping[str, bytes] | None = None,
        named: Mapping[str, str] | None = None,
        pull: bool = False,
        allow: frozenset[str] = frozenset(),
        isolate: bool = False,
        parallelism: int = 0,
        hosts: Hosts | None = None,
        secrets: Sequence[SecretSource] = (),
        agents: Sequence[AgentSource] = (),
    ) -> None:
        self.root = root
        self.directories = dict(directories or {})
        self.named = dict(named or {})
        self.pull = pull
        self.allow = allow
        self.isolate = isolate
        self.parallelism = parallelism
        self.hosts = hosts
        self.secrets = secrets
        self.agents = agents


class Engine:
    """Solves edges and hands out trees and layers. Close it; threads end with it.

    `secrets` and `agents` are what the client gives to steps and sources (`session.types`).
    """

    secrets: Secrets
    agents: Agents

    def __init__(
        self,
        options: EngineOptions,
        observer: Observer,
        cancellation: Cancellation,
        *,
        enter: bool = True,
    ) -> None:
        """Without `enter` the process stays in its namespaces, and nothing can be mounted or run."""
        from pybuild.runtime.sandbox import namespaces
        from pybuild.runtime.sandbox.runner import Runner
        from pybuild.runtime.snapshots.choose import choose

        self.options = options
        self.observer = observer
        self.cancellation = cancellation
        make_root(options.root)
        self._runner: Runner | None = None
        if enter:
            namespaces.enter(options.root)
            self._runner = Runner.start()
        self.store = Store.open(options.root, on_wait=lambda who: observer.notice(f"waiting for {who}"))
        self.snapshotter = choose(self.store)
        self._sandbox: Sandbox | None = None
        self._networks: NetworkPool | None = None
        self._layers: Layers | None = None
        self._http: HttpSource | None = None
        self._git: GitSource | None = None
        self._guard = threading.RLock()
        self.secrets = ClientSecrets(options.secrets)
        self._entitlements = Entitlements(options.allow)
        self.agents = self._agents = ClientAgents(options.agents, lambda: self.store.work, self._runner)
        self._sweep()
        self.images = Images(
            self.store,
            self.snapshotter,
            observer,
            named=options.named,
            hosts=options.hosts,
            pull=options.pull,
        )
        self._local = LocalHandler(options.directories, self._local_tree)
        self.operations = self._operations()
        self._announcer = Announcer(observer)
        parallelism = options.parallelism or max(16, 4 * len(os.sched_getaffinity(0)))
        self._solver: Solver[Vertex, Result] = Solver(
            self.operations, observer=self._announcer, max_parallelism=parallelism
        )

    def _operations(self) -> Operations:
        """The handlers of every kind of op, put together."""
        from pybuild.compiler.ops import DiffOp, FileOp, MergeOp
        from pybuild.runtime.ops.caches import Caches
        from pybuild.runtime.ops.exec import ExecHandler
        from pybuild.runtime.ops.exec_mounts import Supplies
        from pybuild.runtime.ops.files.handler import FileHandler
        from pybuild.runtime.ops.merge import StackHandler

        records = Records(self.store, self.snapshotter)
        files = FileHandler(self.snapshotter, records)
        self._materialize = files.materialize
        self._caches = Caches(self.store, self.snapshotter, self.observer.notice)
        supplies = Supplies(
            self.snapshotter, self.sandbox, files.materialize, self._caches, self.secrets, self.agents
        )
        steps = ExecHandler(supplies, self._entitlements, self.observer, self.options.root)
        stacks = StackHandler(self.snapshotter, files.materialize)
        http = HttpHandler(self.http, self.observer)
        sources: dict[str, Handler] = {
            "docker-image": ImageHandler(self.images.image_content, self.images.unpack),
            "oci-layout": ImageHandler(self.images.named_content, self.images.unpack),
            "local": self._local,
            "http": http,
            "https": http,
            "git": GitHandler(self.git, self.observer),
        }
        kinds: dict[type[Op], Handler] = {
            ExecOp: steps,
            FileOp: files,
            MergeOp: stacks,
            DiffOp: stacks,
        }
        return Operations(self.store, records, sources, kinds, self.observer)

    # Solving

    def solve(self, edges: Sequence[Edge]) -> list[Result]:
        """The results of `edges`. Raises UserError, Cancelled."""
        self._entitlements.check(walk(edges))
        self._caches.renew(walk(edges))
        self._announcer.on_run = partial(self._foresee, edges)
        if self._runs_steps(edges):
            self.networks().prefetch()
        results = self._solver.solve([Input(edge.vertex, edge.index) for edge in edges], self.cancellation)
        self._announcer.rest(edges)
        return results

    def _runs_steps(self, edges: Sequence[Edge]) -> bool:
        """Whether a step in a private network will certainly run: it has no record, or must not use one."""
        return self._runner is not None and any(
            _private_network(vertex) and (vertex.metadata.ignore_cache or not self.operations.known(vertex))
            for vertex in walk(edges)
        )

    def _foresee(self, edges: Sequence[Edge]) -> None:
        """Something has to run: steps above it probably too, and one of them will want a network."""
        if self._runner is not None and any(_private_network(vertex) for vertex in walk(edges)):
            self.networks().prefetch()

    def tree(self, result: Result) -> Tree:
        return result.tree if isinstance(result, View) else self.snapshotter.tree(result.id)

    def snapshot(self, result: Result) -> int | None:
        """The snapshot of a result; a view is copied into one."""
        if isinstance(result, View):
            result = self._materialize(result, self.cancellation)
        return result.id

    @property
    def layers(self) -> Layers:
        from pybuild.runtime.image.layers import Layers

        if self._layers is None:
            self._layers = Layers(self.store, self.snapshotter)
        return self._layers

    def made(self, snapshot: int) -> tuple[str | None, str]:
        """When a snapshot was made, RFC 3339."""
        from pybuild.compiler.timestamps import format_seconds

        rows = self.store.query("SELECT created FROM snapshot WHERE id = ?", snapshot)
        return (format_seconds(int(str(rows[0][0]))), "") if rows else (None, "")

    def sandbox(self) -> Sandbox:
        """Made when the first step runs. Raises SandboxError when there is no OCI runtime."""
        from pybuild.runtime.sandbox.executor import Sandbox
        from pybuild.runtime.sandbox.find import find_runtime

        with self._guard:
            if self._sandbox is None:
                assert self._runner is not None
                self._sandbox = Sandbox(self.store.work, self._runner, self.networks(), find_runtime())
            return self._sandbox

    def networks(self) -> NetworkPool:
        from pybuild.runtime.sandbox.network import NetworkPool

        with self._guard:
            if self._networks is None:
                assert self._runner is not None
                directory = os.path.join(self.store.work, "networks")
                os.mkdir(directory, 0o700)
                self._networks = NetworkPool(
                    self._runner,
                    directory,
                    notice=self.observer.notice,
                    isolate=self.options.isolate,
                )
            return self._networks

    def http(self) -> HttpSource:
        """What downloads files; made when the first is asked for."""
        from pybuild.runtime.sources.http import HttpSource

        with self._guard:
            if self._http is None:
                self._http = HttpSource(self.store, self.snapshotter, self.secrets, self._fetching)
            return self._http

    def git(self) -> GitSource:
        """What fetches repositories; made when the first is asked for."""
        from pybuild.runtime.sources.git import GitSource

        with self._guard:
            if self._git is None:
                self._git = GitSource(self.store, self.snapshotter, self.secrets, self.agents, self._fetching)
            return self._git

    def source_time(self, op: SourceOp) -> int | None:
        """The time of what a git or HTTP source brings, in seconds. Raises UserError, Cancelled."""
        if op.identifier.startswith("git://"):
            return self.git().time(op, self.cancellation)
        return self.http().time(op, self.cancellation)

    def _fetching(self, holder: str) -> None:
        self.observer.notice(f"waiting for {holder}, which fetches from the same address")

    @property
    def local_trees(self) -> Mapping[str, LocalTree]:
        """The local directories looked at so far, by the digests of their vertices."""
        return self._local.trees()

    # Parts

    def _local_tree(self, name: str, op: SourceOp) -> LocalTree:
        from pybuild.lang.dockerfile.ignore import Matcher
        from pybuild.runtime.sources.local import LocalTree
        from pybuild.runtime.sources.statcache import StatCache

        root = self.options.directories[name]
        excludes = patterns(op, "local.excludepatterns")
        return LocalTree(
            root,
            StatCache(self.store.path("stat"), root),
            ignored=Matcher(excludes) if excludes else None,
            selected=[os.fsencode(path) for path in patterns(op, "local.followpaths")],
        )

    def _sweep(self) -> None:
        """Remove what dead builds left, and let old snapshots outlast this boot."""
        dead = self.store.sweep(remove_tree)
        if dead:
            from pybuild.runtime.snapshots.rows import sweep_orphans

            sweep_orphans(self.store)
            self.sandbox().sweep(dead)

    def _unsynced(self) -> bool:
        """Whether snapshots that the kernel has long written may be lost at the next boot for want of a sync."""
        rows = self.store.query(
            "SELECT 1 FROM snapshot WHERE boot = ? AND synced = 0 AND created < ? LIMIT 1",
            self.store.boot,
            int(time()) - SYNC_AFTER,
        )
        return bool(rows)

    def close(self) -> None:
        """Save the stat caches and end what was started."""
        unsynced = self._unsynced()
        for tree in self._local.trees().values():
            tree.save()
        self._solver.close()
        self.images.close()
        if self._http is not None:
            self._http.close()
        self._agents.close()
        if self._sandbox is not None:
            self._sandbox.close()
        if self._runner is not None:
            self._runner.close(wait=False)  # and with it the tools that serve networks
        self.snapshotter.close()
        self.store.clear(remove_tree)
        self.store.close()
        if unsynced:
            sync_detached(self.options.root)


def _private_network(vertex: Vertex) -> bool:
    """Whether the vertex is a step that runs in a network of its own."""
    return isinstance(vertex.op, ExecOp) and vertex.op.network == NetMode.UNSET


def sync_detached(root: str) -> None:
    """Have old snapshots of the store outlast this boot: a process of its own syncs the file system, which can
    take as long as anyone on the machine has written, and ends. Nobody waits for it."""
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        os.closerange(0, 1 << 16)
        for _ in range(3):
            os.open(os.devnull, os.O_RDWR)
        if os.fork() == 0:
            from pybuild.runtime.snapshots.rows import sync_old

            with Store.open(root) as store:
                sync_old(store)
    finally:
        os._exit(0)
