"""Exec ops: runs a process in the sandbox over the root mount's snapshot, and commits its outputs as snapshots."""

from __future__ import annotations

import time
from contextlib import ExitStack

from attrs import evolve

from pybuild.compiler.ops import EMPTY, CacheOpt, ExecOp, MountType
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.descriptions import call_lines, pids_limit, project_caches
from pybuild.runtime.ops.exec_mounts import StepMounts, selectors
from pybuild.runtime.ops.failures import NotExecutable, StepFailed, check_paths, foreign, reached
from pybuild.runtime.ops.stepoutput import StepOutput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence, Set

    from pybuild.compiler.graph import Vertex
    from pybuild.compiler.ops import Mount
    from pybuild.runtime.ops.entitlements import Entitlements
    from pybuild.runtime.ops.exec_mounts import StepResources
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.sandbox.devices import Edits
    from pybuild.runtime.sandbox.step import Step
    from pybuild.runtime.sandbox.users import Identity
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "exec 1"


class ExecHandler:
    """Runs steps whose entitlements the engine has checked. `store` is the root of the store, for error messages.

    `keep_failed` are the digests of vertices whose state is committed when they fail: such a snapshot is leased and
    in no record. The set may grow while the handler lives.
    """

    recorded = True
    limited = True
    pure_key = True

    def __init__(
        self,
        resources: StepResources,
        entitlements: Entitlements,
        observer: Observer,
        store: str = "",
        keep_failed: Set[str] = frozenset(),
    ) -> None:
        self._resources = resources
        self._entitlements = entitlements
        self._observer = observer
        self._store = store
        self._keep_failed = keep_failed

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        """Return the op's key: without proxies, which don't change what a step does, and without ids and sharing of
        caches, whose content no key has. Secrets are in the op by id only."""
        assert isinstance(vertex.op, ExecOp)
        check_paths([vertex.op.meta.cwd])
        check_paths(path for mount in vertex.op.mounts for path in (mount.dest, mount.selector))
        mounts = tuple(
            mount if mount.cache_opt is None else evolve(mount, cache_opt=CacheOpt())
            for mount in vertex.op.mounts
        )
        op = evolve(vertex.op, meta=evolve(vertex.op.meta, proxy_env=None), mounts=mounts)
        bare = evolve(vertex, op=op, inputs=())
        return digest_of(SEMANTICS, bare.digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        """Return the digest of the mounted paths of an input that is only mounted by parts the step can't change for
        later vertices; None for an input that counts as a whole."""
        assert isinstance(vertex.op, ExecOp)
        selected = selectors(vertex.op, index)
        if selected is None:
            return None
        from pybuild.runtime.ops.files.handler import tree_of
        from pybuild.runtime.ops.files.selection import selection_digest

        return selection_digest(
            [*selected], result, lambda result: tree_of(self._resources.snapshotter, result)
        )

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        op = vertex.op
        assert isinstance(op, ExecOp)
        self._resources.sandbox()  # before anything is mounted: it raises where steps can't run
        with ExitStack() as stack:
            scoped = project_caches(vertex)
            mounts = StepMounts(self._resources, op, inputs, stack, cancellation, scoped)
            try:
                with ExitStack() as mounted:
                    step = self._step(vertex, op, mounts, mounted)
                    self._execute(vertex, step, mounts, cancellation)
            except StepFailed as error:
                # The process has ended, and its mounts are undone: the active snapshots can be committed.
                if vertex.digest in self._keep_failed:
                    error.mounts = {
                        index: (mounts.snapshot(mount), mounts.keep(mount))
                        for index, mount in enumerate(op.mounts)
                        if mount.mount_type == MountType.BIND
                    }
                    error.snapshot = error.mounts[op.mounts.index(_root(op))][1]
                raise
            outputs = sorted(
                (mount for mount in op.mounts if mount.output != EMPTY and mounts.has_output(mount)),
                key=lambda mount: mount.output,
            )
            return [mounts.output(mount) for mount in outputs]

    def _step(self, vertex: Vertex, op: ExecOp, mounts: StepMounts, mounted: ExitStack) -> Step:
        """Mount and take all that a step needs, and return the sandbox's description of it."""
        from pybuild.runtime.sandbox.step import Step as SandboxStep
        from pybuild.runtime.sandbox.users import resolve_user

        root = _root(op)
        secret_env = [*mounts.secret_env(), *call_lines(vertex)]
        # Before anything is mounted: this may wait long for other steps.
        mounts.take_caches(vertex.name or vertex.digest, mounted)
        rootfs = mounts.root(root, mounted)
        others = [
            step_mount
            for mount in op.mounts
            if mount is not root
            for step_mount in mounts.step_mounts(mount, mounted)
        ]
        identity = resolve_user(mounts.tree(root), op.meta.user)
        return SandboxStep(
            rootfs,
            op.meta,
            identity,
            mounts=others,
            network=op.network,
            security=op.security,
            secret_env=secret_env,
            resources=vertex.metadata.linux_resources,
            pids=pids_limit(vertex),
            readonly=root.readonly,
            devices=self._edits(vertex, op, identity),
        )

    def _edits(self, vertex: Vertex, op: ExecOp, identity: Identity) -> Edits | None:
        if not op.cdi_devices:
            return None
        from pybuild.runtime.sandbox.devices import edits

        bound = self._resources.sandbox().rootless
        devices = self._entitlements.devices(vertex, op)
        return edits(devices, uid=identity.uid, gid=identity.gid, bound=bound)

    def _execute(self, vertex: Vertex, step: Step, mounts: StepMounts, cancellation: Cancellation) -> None:
        step_output = StepOutput()
        watch = mounts.watch(self._store, step.identity.uid)

        def output(stream: int, data: bytes) -> None:
            step_output.add(data)
            self._observer.log(vertex.digest, stream, data)

        began = time.monotonic()
        code = self._resources.sandbox().run(
            step, on_output=output, cancellation=cancellation, watch=watch.look
        )
        seconds = time.monotonic() - began
        watch.look()
        # A cancelled step was killed, so its exit code means nothing.
        if cancellation():
            raise Cancelled
        if code.format_error or foreign(vertex, bytes(step_output.tail)):
            raise NotExecutable(vertex)
        limit = reached(step, code)
        # A program that had no room may end as if all were well, and leave half of a file behind.
        lacked = watch.lacked if watch.lacked and (step_output.no_space or mounts.written(watch)) else ""
        if limit or lacked or code not in (step.meta.valid_exit_codes or (0,)):
            raise StepFailed(
                vertex, code, step_output, self._store, seconds=seconds, limit=limit, lacked=lacked
            )


def _root(op: ExecOp) -> Mount:
    return next(mount for mount in op.mounts if mount.dest == "/")
