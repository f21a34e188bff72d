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
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.announcer import Announcer
from pybuild.runtime.cache.records import Records
from pybuild.runtime.content import snapshot_table
from pybuild.runtime.content.root import make_root
from pybuild.runtime.content.store import Store
from pybuild.runtime.images import Images
from pybuild.runtime.ops.entitlements import Entitlements
from pybuild.runtime.ops.operations import Operations
from pybuild.runtime.ops.remote import BlobHandler, GitHandler, HttpHandler
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.ops.sources import ImageHandler, LocalHandler
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.sandbox.surroundings import Surroundings
from pybuild.runtime.session.client import Workplace
from pybuild.runtime.session.localclient import LocalClient
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.solver.solver import Solver
from pybuild.runtime.solver.types import Cancellation, Input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.compiler.ops import Op, SourceOp
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.ops.handlers import Handler
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.sandbox.devices import Devices
    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.network import NetworkPool
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.session.client import Client
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.solver.types import Outcome
    from pybuild.runtime.sources.blob import BlobSource
    from pybuild.runtime.sources.git import GitSource
    from pybuild.runtime.sources.http import HttpSource
    from pybuild.runtime.sources.local import LocalTree

SYNC_AFTER = 60
"""Seconds after which the kernel has written a snapshot's files by itself, so that a syncfs costs little."""


class EngineOptions:
    """How to build. `client` is whom for; `allow` holds granted entitlements; `parallelism` 0 leaves it to the
    machine. `project` is an opaque key of what is built: caches of a project's scope are apart by it. With
    `outlasting` a step goes on for another process that waits for it when this build is over. `surroundings` are
    what steps run in."""

    __slots__ = (
        "allow",
        "client",
        "hosts",
        "outlasting",
        "parallelism",
        "project",
        "pull",
        "root",
        "surroundings",
    )

    def __init__(
        self,
        root: str,
        *,
        client: Client | None = None,
        pull: bool = False,
        allow: frozenset[str] = frozenset(),
        isolate: bool = False,
        parallelism: int = 0,
        hosts: Hosts | None = None,
        project: str = "",
        outlasting: bool = False,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.root = root
        self.client = client or LocalClient()
        self.pull = pull
        self.allow = allow
        self.parallelism = parallelism
        self.hosts = hosts
        self.project = project
        self.outlasting = outlasting
        self.surroundings = surroundings or Surroundings(isolate=isolate)


class Engine:
    """Solves edges and hands out trees and layers. Close it; threads end with it. `client` is whom it works for."""

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
        self.store = Store.open(options.root, on_wait=lambda who: observer.waiting(f"waiting for {who}"))
        self.snapshotter = choose(self.store)
        self._sandbox: Sandbox | None = None
        self._networks: NetworkPool | None = None
        self._layers: Layers | None = None
        self._http: HttpSource | None = None
        self._git: GitSource | None = None
        self._guard = threading.RLock()
        self.solved: dict[Edge, None] = {}
        """What was solved so far."""
        self.client = options.client
        self.client.enter(Workplace(self.store, self._runner, observer))
        self.entitlements = Entitlements(options.allow, self._devices())
        self._sweep()
        self.images = Images(
            self.store,
            self.snapshotter,
            observer,
            client=self.client,
            hosts=options.hosts,
            pull=options.pull,
        )
        self._local = LocalHandler(self.client)
        self.operations = self._operations()
        self._announcer = Announcer(observer)
        parallelism = options.parallelism or max(16, 4 * len(os.sched_getaffinity(0)))
        self._solver: Solver[Vertex, Result] = Solver(
            self.operations,
            observer=self._announcer,
            max_parallelism=parallelism,
            elsewhere=self.operations.elsewhere,
        )

    def _operations(self) -> Operations:
        """The handlers of every kind of op, put together."""
        from pybuild.compiler.ops import BuildOp, DiffOp, FileOp, MergeOp, PassthroughOp
        from pybuild.runtime.ops.build import BuildHandler
        from pybuild.runtime.ops.caches import Caches
        from pybuild.runtime.ops.exec import ExecHandler
        from pybuild.runtime.ops.exec_mounts import Supplies
        from pybuild.runtime.ops.files.handler import FileHandler
        from pybuild.runtime.ops.kept import Kept
        from pybuild.runtime.ops.merge import StackHandler
        from pybuild.runtime.ops.passthrough import PassthroughHandler
        from pybuild.runtime.sources.blob import REGISTRY, STORED

        records = self.records = Records(self.store, self.snapshotter)
        kept = Kept(self._hold)
        files = FileHandler(self.snapshotter, records, kept)
        self._materialize = files.materialize
        self._caches = Caches(self.store, self.snapshotter, self.observer.waiting)
        self.supplies = Supplies(
            self.snapshotter,
            self.sandbox,
            files.materialize,
            self._caches,
            self.client.secrets,
            self.client.agents,
            self._hold,
            self.options.project,
        )
        steps = ExecHandler(self.supplies, self.entitlements, self.observer, self.options.root)
        self._keep_failed = steps.keep_failed = kept.digests
        stacks = StackHandler(self.snapshotter, files.materialize)
        http = HttpHandler(self.http, self.observer)
        blob = BlobHandler(self._blobs(), self.observer)
        sources: dict[str, Handler] = {
            "docker-image": ImageHandler(self.images.image_content, self.images.unpack),
            "oci-layout": ImageHandler(self.images.named_content, self.images.unpack),
            "local": self._local,
            "http": http,
            "https": http,
            "git": GitHandler(self.git, self.observer),
            REGISTRY: blob,
            STORED: blob,
        }
        kinds: dict[type[Op], Handler] = {
            ExecOp: steps,
            FileOp: files,
            MergeOp: stacks,
            DiffOp: stacks,
            BuildOp: BuildHandler(self._solve_nested, self.tree),
            PassthroughOp: PassthroughHandler(files.materialize),
        }
        return Operations(
            self.store, records, sources, kinds, self.observer, outlasting=self.options.outlasting
        )

    def _blobs(self) -> BlobSource:
        from pybuild.runtime.sources.blob import BlobSource

        return BlobSource(
            self.store, self.snapshotter, self.client, lambda: self.images.client(), self._fetching
        )

    def _devices(self) -> Devices | None:
        """Those of other directories than the usual ones."""
        from pybuild.runtime.sandbox.devices import Devices

        directories = self.options.surroundings.devices
        return None if directories is None else Devices(directories)

    def _hold(self, snapshot: int) -> None:
        """Keep a snapshot while this process lives."""
        self.store.lease("snapshot", str(snapshot))

    # Solving

    def solve(
        self,
        edges: Sequence[Edge],
        *,
        keep_failed: Iterable[str] = (),
        cancellation: Cancellation | None = None,
    ) -> list[Result]:
        """The results of `edges`. Raises UserError, Cancelled. If a step whose digest is among `keep_failed` fails,
        the StepFailed tells the snapshot of what it left, which is there while this engine is open; with a file op
        the error's origin does. `cancellation` ends this call alone; without one it ends with the engine's."""
        self._prepare(edges, keep_failed)
        inputs = [Input(edge.vertex, edge.index) for edge in edges]
        results = self._solver.solve(inputs, cancellation or self.cancellation)
        self._announcer.rest(edges)
        self.solved.update(dict.fromkeys(edges))
        return results

    def solve_each(self, edges: Sequence[Edge], *, keep_failed: Iterable[str] = ()) -> list[Outcome[Result]]:
        """What came of each of `edges`, solved side by side: the failure of one leaves the others alone, and one
        that several share is tried once and is each one's. Raises Cancelled, UserError for what none can do, and
        any error that no user can cause."""
        self._prepare(edges, keep_failed)
        inputs = [Input(edge.vertex, edge.index) for edge in edges]
        outcomes = self._solver.solve_each(inputs, self.cancellation)
        for one in outcomes:
            if one.error is not None and not isinstance(one.error, UserError):
                raise one.error
        solved = [edge for edge, one in zip(edges, outcomes, strict=True) if one.error is None]
        self._announcer.rest(solved)
        self.solved.update(dict.fromkeys(solved))
        return outcomes

    def _solve_nested(self, edge: Edge, cancellation: Cancellation) -> Snapshot:
        """The state of a definition that a vertex holds, solved while that vertex runs."""
        self._prepare([edge], ())
        (result,) = self._solver.solve([Input(edge.vertex, edge.index)], cancellation)
        self._announcer.rest([edge])
        return self._materialize(result, cancellation) if isinstance(result, View) else result

    def _prepare(self, edges: Sequence[Edge], keep_failed: Iterable[str]) -> None:
        self.observer.known(edges)
        self._keep_failed.update(keep_failed)
        self.entitlements.check(walk(edges))
        self._caches.renew(walk(edges), self.options.project)
        self._announcer.on_run = partial(self._foresee, edges)
        if self._runs_steps(edges):
            self.networks().prefetch()

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

    def cache_keys(self) -> Mapping[str, str]:
        """The cache keys of the vertices that were solved, by their digests."""
        return self._solver.keys()

    def tree(self, result: Result) -> Tree:
        return result.tree if isinstance(result, View) else self.snapshotter.tree(result.id)

    def snapshot(self, result: Result) -> int | None:
        """The snapshot of a result; a view is copied into one."""
        if isinstance(result, View):
            result = self._materialize(result, self.cancellation)
        return result.id

    @property
    def outlasting(self) -> bool:
        """Whether steps go on for other processes that wait for them, and for nothing else."""
        return self._solver.outlasting > 0

    @property
    def layers(self) -> Layers:
        from pybuild.runtime.image.layers import Layers

        if self._layers is None:
            self._layers = Layers(self.store, self.snapshotter)
        return self._layers

    def made(self, snapshot: int) -> tuple[str | None, str]:
        """When a snapshot was made, RFC 3339, and by what."""
        from pybuild.compiler.timestamps import format_seconds

        known = snapshot_table.created(self.store, snapshot)
        return (None, "") if known is None else (format_seconds(known[0]), known[1])

    def made_at(self, snapshot: int) -> tuple[str | None, str]:
        """When, but not by what: an image with a config doesn't depend on which step first made a layer."""
        return self.made(snapshot)[0], ""

    def sandbox(self) -> Sandbox:
        """Made when the first step runs. Raises SandboxError when there is no OCI runtime."""
        from pybuild.runtime.sandbox.executor import Sandbox
        from pybuild.runtime.sandbox.find import find_runtime

        with self._guard:
            if self._sandbox is None:
                assert self._runner is not None
                self._sandbox = Sandbox(
                    self.store.work,
                    self._runner,
                    self.networks(),
                    find_runtime(),
                    cgroup_parent=self.options.surroundings.cgroup_parent,
                )
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
                    isolate=self.options.surroundings.isolate,
                    host=self.options.surroundings.host_network,
                    dns=self.options.surroundings.dns,
                )
            return self._networks

    def http(self) -> HttpSource:
        """What downloads files; made when the first is asked for."""
        from pybuild.runtime.sources.http import HttpSource

        with self._guard:
            if self._http is None:
                self._http = HttpSource(
                    self.store,
                    self.snapshotter,
                    self.client.secrets,
                    self._fetching,
                    upload=self.client.upload,
                )
            return self._http

    def git(self) -> GitSource:
        """What fetches repositories; made when the first is asked for."""
        from pybuild.runtime.sources.git import GitSource

        with self._guard:
            if self._git is None:
                self._git = GitSource(
                    self.store, self.snapshotter, self.client.secrets, self.client.agents, self._fetching
                )
            return self._git

    def source_time(self, op: SourceOp) -> int | None:
        """The time of what a git or HTTP source brings, in seconds. Raises UserError, Cancelled."""
        if op.identifier.startswith("git://"):
            return self.git().time(op, self.cancellation)
        return self.http().time(op, self.cancellation)

    def _fetching(self, holder: str) -> None:
        self.observer.waiting(f"waiting for {holder}, which fetches from the same address")

    @property
    def local_trees(self) -> Mapping[str, LocalTree]:
        """The local directories looked at so far, by the digests of their vertices."""
        return self._local.trees()

    # Parts

    def _sweep(self) -> None:
        """Remove what dead builds left, and let old snapshots outlast this boot."""
        dead = self.store.sweep(remove_tree)
        if dead:
            from pybuild.runtime.snapshots.committed import sweep_orphans

            sweep_orphans(self.store)
            self.sandbox().sweep(dead)

    def _unsynced(self) -> bool:
        """Whether snapshots that the kernel has long written may be lost at the next boot for want of a sync."""
        return snapshot_table.has_unsynced(self.store, int(time()) - SYNC_AFTER)

    def close(self) -> None:
        """Save the stat caches and end what was started."""
        unsynced = self._unsynced()
        for tree in self._local.trees().values():
            tree.save()
        self._solver.close()
        self.images.close()
        if self._http is not None:
            self._http.close()
        self.client.close()
        if self._sandbox is not None:
            self._sandbox.close()
        if self._runner is not None:
            self._runner.close(wait=False)  # and with it the tools that serve networks
        self.snapshotter.close()
        self.store.clear(remove_tree)
        self.store.close()
        if unsynced:
            from pybuild.runtime.snapshots.syncing import sync_detached

            sync_detached(self.options.root)


def _private_network(vertex: Vertex) -> bool:
    """Whether the vertex is a step that runs in a network of its own."""
    return isinstance(vertex.op, ExecOp) and vertex.op.network == NetMode.UNSET
