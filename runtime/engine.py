"""The engine: an open store and the parts that solve graphs on it, composed.

Opening an engine moves the process into the build's namespaces: do it in the main thread, before any other thread
exists, and once in a process.
"""

from __future__ import annotations

import os
from functools import partial
from time import time

from pybuild.compiler.graph import walk
from pybuild.compiler.ops import ExecOp, NetMode
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.announcer import Announcer
from pybuild.runtime.cache.creation import CreationTimes
from pybuild.runtime.cache.records import Records
from pybuild.runtime.clients.client import Workplace
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.content import snapshot_table
from pybuild.runtime.content.root import make_root
from pybuild.runtime.content.store import Store
from pybuild.runtime.fetchers import Fetchers
from pybuild.runtime.images import Images
from pybuild.runtime.ops.entitlements import Entitlements
from pybuild.runtime.ops.operations import Operations
from pybuild.runtime.ops.remote import BlobHandler, GitHandler, HttpHandler
from pybuild.runtime.ops.results import Snapshot, View
from pybuild.runtime.ops.sources import ImageHandler, LocalHandler
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.sandbox.surroundings import Surroundings
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.solver.solver import Solver
from pybuild.runtime.solver.types import Cancellation, Input
from pybuild.runtime.stephost import StepHost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pybuild.compiler.graph import Edge, Vertex
    from pybuild.compiler.ops import Op
    from pybuild.runtime.clients.client import Client
    from pybuild.runtime.image.layers import Layers
    from pybuild.runtime.ops.exec_mounts import StepResources
    from pybuild.runtime.ops.handlers import Handler
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.sandbox.devices import Devices
    from pybuild.runtime.sandbox.errors import SandboxError
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.solver.types import Outcome
    from pybuild.runtime.sources.local import LocalTree

SYNC_AFTER = 60
"""Seconds after which the kernel has written a snapshot's files by itself, so that a syncfs costs little."""


class EngineOptions:
    """How to build.

    `client` gives directories, secrets and agents; `allow` holds granted entitlements; `pull` asks registries for
    known tags again; `parallelism` 0 leaves the number of concurrent steps to the machine. `project` is an opaque
    key that separates the cache mounts of project scope. With `outlasting`, a step outlives the build while another
    process waits for its result. `surroundings` are cgroup parent, networks and devices of steps.
    """

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
    """Composition root of a build: opens the store, builds the parts that solve on it, and closes them.

    The parts are attributes for whoever hands them on: `store`, `snapshotter`, `client`, `images`, `fetchers`,
    `records`, `creation`, `operations`, `steps` (what runs
    them), `resources` (of steps), `entitlements`. Results live until `close`.
    """

    def __init__(
        self,
        options: EngineOptions,
        observer: Observer,
        cancellation: Cancellation,
        *,
        enter: bool = True,
    ) -> None:
        """Without `enter` the process stays in its namespaces, and nothing can be mounted or run. Where the build's
        own namespaces can't be entered, states are indexes: everything but steps can be solved."""
        from pybuild.runtime.image.indexes import open_indexes
        from pybuild.runtime.ops.failedstates import FailedStates
        from pybuild.runtime.ops.files.handler import FileHandler
        from pybuild.runtime.snapshots.choose import choose, remember_indexes

        self.options = options
        self.observer = observer
        self.cancellation = cancellation
        self.solved: dict[Edge, None] = {}
        """Edges solved so far, in their order."""
        make_root(options.root)
        runner, refusal = _enter_namespaces(options.root) if enter else (None, None)
        self.store = Store.open(options.root, on_wait=lambda who: observer.waiting(f"waiting for {who}"))
        self.snapshotter = choose(self.store, open_indexes) if refusal is None else open_indexes(self.store)
        if refusal is not None:
            remember_indexes(self.store)
        self.client = options.client
        self.client.enter(Workplace(self.store, runner, observer))
        self.steps = StepHost(runner, self.store.work, options.surroundings, observer, refusal)
        if runner is not None or refusal is not None:
            self._sweep()  # otherwise, outside of the namespaces, foreign files can't be removed
        self.entitlements = Entitlements(options.allow, _devices(options.surroundings), self.steps.unfiltered)
        self.images = Images(
            self.store, self.snapshotter, observer, client=self.client, hosts=options.hosts, pull=options.pull
        )
        self.fetchers = Fetchers(self.store, self.snapshotter, self.client, observer, cancellation)
        self.records = Records(self.store, self.snapshotter)
        self.creation = CreationTimes(self.store)
        self._failed = FailedStates(self._lease)
        self._files = FileHandler(self.snapshotter, self.records, self._failed, observer.warning)
        self._local = LocalHandler(self.client)
        self.resources = self._step_resources()
        sources, ops = self._source_handlers(), self._op_handlers()
        self.operations = Operations(
            self.store, self.records, sources, ops, observer, outlasting=options.outlasting
        )
        self._announcer = Announcer(observer)
        self._solver: Solver[Vertex, Result] = Solver(
            self.operations,
            observer=self._announcer,
            # Steps mostly wait, for disk, network and each other, so more of them run than there are processors.
            max_parallelism=options.parallelism or max(16, 4 * len(os.sched_getaffinity(0))),
            elsewhere=self.operations.elsewhere,
        )
        self._layers: Layers | None = None

    # Parts

    def _step_resources(self) -> StepResources:
        from pybuild.runtime.ops.caches import Caches
        from pybuild.runtime.ops.exec_mounts import StepResources

        return StepResources(
            self.snapshotter,
            self.steps.sandbox,
            self._files.materialize,
            Caches(self.store, self.snapshotter, self.observer.waiting),
            self.client.secrets,
            self.client.agents,
            self._lease,
            self.options.project,
        )

    def _source_handlers(self) -> dict[str, Handler]:
        """Build the handlers of source ops, by the scheme of their identifiers."""
        from pybuild.runtime.sources.blob import REGISTRY, STORED

        http = HttpHandler(self.fetchers.http, self.observer)
        blob = BlobHandler(self.fetchers.blobs(self.images.client), self.observer)
        return {
            "docker-image": ImageHandler(self.images.image_content, self.images.unpack),
            "oci-layout": ImageHandler(self.images.named_content, self.images.unpack),
            "local": self._local,
            "http": http,
            "https": http,
            "git": GitHandler(self.fetchers.git, self.observer),
            REGISTRY: blob,
            STORED: blob,
        }

    def _op_handlers(self) -> dict[type[Op], Handler]:
        """Build the handlers of all other ops."""
        from pybuild.compiler.ops import BuildOp, DiffOp, FileOp, MergeOp, PassthroughOp
        from pybuild.runtime.ops.build import BuildHandler
        from pybuild.runtime.ops.exec import ExecHandler
        from pybuild.runtime.ops.merge import StackHandler
        from pybuild.runtime.ops.passthrough import PassthroughHandler

        materialize = self._files.materialize
        stacks = StackHandler(self.snapshotter, materialize)
        return {
            ExecOp: ExecHandler(
                self.resources, self.entitlements, self.observer, self.options.root, self._failed.digests
            ),
            FileOp: self._files,
            MergeOp: stacks,
            DiffOp: stacks,
            BuildOp: BuildHandler(self._solve_nested, self.tree),
            PassthroughOp: PassthroughHandler(materialize),
        }

    def _lease(self, snapshot: int) -> None:
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
        """Solve `edges` and return their results in the same order. Raises UserError, Cancelled.

        `keep_failed` are vertex digests: if such a step fails, its StepFailed names a snapshot of the state it left,
        which lives as long as this engine; for a file op the error's origin does. `cancellation` ends this call
        alone; without it the call ends with the engine's.
        """
        self._prepare(edges, keep_failed)
        inputs = [Input(edge.vertex, edge.index) for edge in edges]
        results = self._solver.solve(inputs, cancellation or self.cancellation)
        self._announcer.rest(edges)
        self.solved.update(dict.fromkeys(edges))
        return results

    def solve_each(self, edges: Sequence[Edge], *, keep_failed: Iterable[str] = ()) -> list[Outcome[Result]]:
        """Solve `edges` side by side and return an outcome for each: a failure leaves the others alone.

        A vertex that several edges share is tried once, and its failure is in the outcome of each. Raises Cancelled,
        UserError for an error that concerns all edges, and any error that is no UserError.
        """
        self._prepare(edges, keep_failed)
        inputs = [Input(edge.vertex, edge.index) for edge in edges]
        outcomes = self._solver.solve_each(inputs, self.cancellation)
        for outcome in outcomes:
            if outcome.error is not None and not isinstance(outcome.error, UserError):
                raise outcome.error
        solved = [edge for edge, outcome in zip(edges, outcomes, strict=True) if outcome.error is None]
        self._announcer.rest(solved)
        self.solved.update(dict.fromkeys(solved))
        return outcomes

    def _solve_nested(self, edge: Edge, cancellation: Cancellation) -> Snapshot:
        """Solve the definition of a build op while that op's vertex runs."""
        self._prepare([edge], ())
        (result,) = self._solver.solve([Input(edge.vertex, edge.index)], cancellation)
        self._announcer.rest([edge])
        return self._files.materialize(result, cancellation) if isinstance(result, View) else result

    def _prepare(self, edges: Sequence[Edge], keep_failed: Iterable[str]) -> None:
        self.observer.known(edges)
        self._failed.digests.update(keep_failed)
        self.entitlements.check(walk(edges))
        self.resources.caches.renew(walk(edges), self.options.project)
        self._announcer.on_run = partial(self._prefetch_network, edges)
        if self._runs_steps(edges):
            self.steps.networks().prefetch()

    def _runs_steps(self, edges: Sequence[Edge]) -> bool:
        """Report whether a step in a private network is certain to run: it has no record, or must not use one."""
        return self.steps.runner is not None and any(
            _in_private_network(vertex)
            and (vertex.metadata.ignore_cache or not self.operations.known(vertex))
            for vertex in walk(edges)
        )

    def _prefetch_network(self, edges: Sequence[Edge]) -> None:
        """Prepare a network once any vertex runs: the steps above it will probably run too."""
        if self.steps.runner is not None and any(_in_private_network(vertex) for vertex in walk(edges)):
            self.steps.networks().prefetch()

    def cache_keys(self) -> Mapping[str, str]:
        """Return the cache keys of the solved vertices, by vertex digest."""
        return self._solver.keys()

    def tree(self, result: Result) -> Tree:
        """Return read access to a result's files."""
        return result.tree if isinstance(result, View) else self.snapshotter.tree(result.id)

    def snapshot(self, result: Result) -> int | None:
        """Return the snapshot id of a result, None for the empty root. A view is copied into a snapshot."""
        if isinstance(result, View):
            result = self._files.materialize(result, self.cancellation)
        return result.id

    @property
    def outlasting(self) -> bool:
        """True while steps go on only because other processes wait for them."""
        return self._solver.outlasting > 0

    @property
    def layers(self) -> Layers:
        """The layers of snapshots as archives; built when the first is wanted."""
        from pybuild.runtime.image.layers import Layers

        if self._layers is None:
            self._layers = Layers(self.store, self.snapshotter)
        return self._layers

    @property
    def local_trees(self) -> Mapping[str, LocalTree]:
        """The local directories read so far, by the digests of their vertices."""
        return self._local.trees()

    # Lifetime

    def _sweep(self) -> None:
        """Remove the leftovers of dead builds: files, orphaned snapshots, control groups."""
        dead = self.store.sweep(remove_tree)
        if dead:
            from pybuild.runtime.snapshots.committed import sweep_orphans

            sweep_orphans(self.store)
            if self.steps.runner is not None:
                self.steps.sandbox().sweep(dead)

    def close(self) -> None:
        """Save the stat caches and close all parts, users before what they use."""
        unsynced = _has_unsynced(self.store)
        for tree in self._local.trees().values():
            tree.save()
        self._solver.close()
        self.images.close()
        self.fetchers.close()
        self.client.close()
        self.steps.close()
        self.snapshotter.close()
        self.store.clear(remove_tree)
        self.store.close()
        if unsynced:
            from pybuild.runtime.snapshots.syncing import sync_detached

            sync_detached(self.options.root)


def _enter_namespaces(root: str) -> tuple[Runner | None, SandboxError | None]:
    """Move the process into the build's namespaces and start the runner there; where that can't be, return the
    reason. Raises SandboxError if a snapshotter was asked for that needs them."""
    from pybuild.runtime.sandbox import namespaces
    from pybuild.runtime.sandbox.errors import SandboxError, no_namespaces_asked
    from pybuild.runtime.sandbox.runner import Runner
    from pybuild.runtime.snapshots.choose import VARIABLE
    from pybuild.runtime.snapshots.types import INDEX

    wanted = os.environ.get(VARIABLE)
    if wanted == INDEX:
        return None, no_namespaces_asked(VARIABLE)
    try:
        namespaces.enter(root)
    except SandboxError as error:
        if wanted:
            raise
        return None, error
    return Runner.start(), None  # it forks, so no thread may exist yet, and no open database


def _devices(surroundings: Surroundings) -> Devices | None:
    """Return the devices of the directories that the surroundings name; None for the machine's usual ones."""
    if surroundings.devices is None:
        return None
    from pybuild.runtime.sandbox.devices import Devices

    return Devices(surroundings.devices)


def _has_unsynced(store: Store) -> bool:
    """Report whether a power loss could cost snapshots whose files the kernel has long written: their rows count
    after a reboot only if a sync followed them."""
    return snapshot_table.has_unsynced(store, int(time()) - SYNC_AFTER)


def _in_private_network(vertex: Vertex) -> bool:
    """Report whether the vertex is a step that runs in a network namespace of its own."""
    return isinstance(vertex.op, ExecOp) and vertex.op.network == NetMode.UNSET
