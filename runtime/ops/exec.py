"""Exec ops: a process in the sandbox over the root mount's snapshot, its outputs committed as snapshots."""

from __future__ import annotations

from contextlib import ExitStack

from attrs import evolve

from pybuild.compiler.ops import EMPTY, ExecOp, Mount, MountType, SecurityMode
from pybuild.lang.diagnostics import Cancelled, Diagnostic, Label, UserError
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.ops.results import Snapshot, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.compiler.graph import Vertex
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.step import StepMount
    from pybuild.runtime.snapshots.types import Active, Snapshotter, Tree
    from pybuild.runtime.solver.types import Cancellation

SEMANTICS = "exec 1"
LAST_LINES = 10
TAIL_BYTES = 16 << 10
_FORMAT_ERROR = b"xec format error"


class StepFailed(UserError):
    """A step's process ended with a code that is not among the valid ones."""

    def __init__(self, vertex: Vertex, exit_code: int, output: bytes) -> None:
        assert isinstance(vertex.op, ExecOp)
        command = " ".join(vertex.op.meta.args)
        lines = output.decode("utf-8", "replace").splitlines()
        shown = [line.rstrip() for line in lines[-LAST_LINES:]]
        diagnostic = Diagnostic(
            f'process "{command}" did not complete successfully: exit code: {exit_code}',
            labels=[Label(span, _meaning(exit_code)) for span in vertex.metadata.spans[:1]],
            notes=[("output", "\n".join(["(the last lines)", *shown]))] if shown else [],
        )
        super().__init__(diagnostic, help=_advice(exit_code))
        self.vertex = vertex


class ExecHandler:
    """Runs steps. `materialize` makes a snapshot of a view, for mounts of local directories."""

    recorded = True
    limited = True
    pure_key = True

    def __init__(
        self,
        snapshotter: Snapshotter,
        sandbox: Callable[[], Sandbox],
        observer: Observer,
        materialize: Callable[[View, Cancellation], Snapshot],
        *,
        allow_insecure: bool = False,
        allow_host_network: bool = False,
    ) -> None:
        self._snapshotter = snapshotter
        self._sandbox = sandbox
        self._observer = observer
        self._materialize = materialize
        self._allow_insecure = allow_insecure
        self._allow_host_network = allow_host_network

    def op_key(self, vertex: Vertex, cancellation: Cancellation) -> str:
        """Proxies are no part of it: they say how to reach the network, not what to do."""
        assert isinstance(vertex.op, ExecOp)
        op = evolve(vertex.op, meta=evolve(vertex.op.meta, proxy_env=None))
        bare = evolve(vertex, op=op, inputs=())
        return digest_of(SEMANTICS, bare.digest)

    def outside(self, vertex: Vertex) -> str:
        return ""

    def content(self, vertex: Vertex, index: int, result: Result, cancellation: Cancellation) -> str | None:
        return None

    def run(self, vertex: Vertex, inputs: Sequence[Result], cancellation: Cancellation) -> Sequence[Result]:
        op = vertex.op
        assert isinstance(op, ExecOp)
        self._check(vertex, op)
        with ExitStack() as stack:
            return self._run(vertex, op, inputs, stack, cancellation)

    def _run(
        self,
        vertex: Vertex,
        op: ExecOp,
        inputs: Sequence[Result],
        stack: ExitStack,
        cancellation: Cancellation,
    ) -> Sequence[Result]:
        mounts = _Mounts(self._snapshotter, self._materialize, inputs, stack, cancellation)
        root = next(mount for mount in op.mounts if mount.dest == "/")
        with ExitStack() as mounted:
            rootfs = mounts.root(root, mounted)
            others = [mounts.step_mount(mount, mounted) for mount in op.mounts if mount is not root]
            self._execute(vertex, op, rootfs, others, root, mounts, cancellation)
        outputs = sorted((mount for mount in op.mounts if mount.output != EMPTY), key=lambda one: one.output)
        return [mounts.output(mount) for mount in outputs]

    def _execute(
        self,
        vertex: Vertex,
        op: ExecOp,
        rootfs: bytes,
        others: Sequence[StepMount],
        root: Mount,
        mounts: _Mounts,
        cancellation: Cancellation,
    ) -> None:
        from pybuild.runtime.sandbox.step import Step
        from pybuild.runtime.sandbox.users import resolve_user

        step = Step(
            rootfs,
            op.meta,
            resolve_user(mounts.tree(root), op.meta.user),
            mounts=others,
            network=op.network,
            security=op.security,
            resources=vertex.metadata.linux_resources,
            readonly=root.readonly,
        )
        tail = bytearray()

        def output(stream: int, data: bytes) -> None:
            tail.extend(data[-TAIL_BYTES:])
            del tail[:-TAIL_BYTES]
            self._observer.log(vertex.digest, stream, data)

        code = self._sandbox().run(step, on_output=output, cancellation=cancellation)
        if cancellation():
            raise Cancelled
        if code not in (op.meta.valid_exit_codes or (0,)):
            raise _of_another_machine(vertex, bytes(tail)) or StepFailed(vertex, code, bytes(tail))

    def _check(self, vertex: Vertex, op: ExecOp) -> None:
        labels = [Label(span) for span in vertex.metadata.spans[:1]]
        refused: str | None = None
        for mount in op.mounts:
            if mount.mount_type in (MountType.CACHE, MountType.SECRET, MountType.SSH):
                refused = f"mounts of type {mount.mount_type.name.lower()}"
        if op.secret_env:
            refused = "secrets in the environment"
        if op.cdi_devices:
            refused = "CDI devices"
        if refused is not None:
            raise UserError(Diagnostic(f"this version does not execute {refused}", labels=labels))
        from pybuild.compiler.ops import NetMode

        wanted = [
            (op.security == SecurityMode.INSECURE and not self._allow_insecure, "security.insecure"),
            (op.network == NetMode.HOST and not self._allow_host_network, "network.host"),
        ]
        for missing, entitlement in wanted:
            if missing:
                raise UserError(
                    Diagnostic(f"the step needs the entitlement {entitlement}", labels=labels),
                    help=f"if you trust this build, run it with --allow {entitlement}",
                )


class _Mounts:
    """The file systems of one step: roots and writable mounts are snapshots being made."""

    def __init__(
        self,
        snapshotter: Snapshotter,
        materialize: Callable[[View, Cancellation], Snapshot],
        inputs: Sequence[Result],
        stack: ExitStack,
        cancellation: Cancellation,
    ) -> None:
        self._snapshotter = snapshotter
        self._materialize = materialize
        self._inputs = inputs
        self._stack = stack
        self._cancellation = cancellation
        self._actives: dict[str, Active] = {}

    def snapshot(self, mount: Mount) -> int | None:
        if mount.input == EMPTY:
            return None
        result = self._inputs[mount.input]
        if isinstance(result, View):
            result = self._materialize(result, self._cancellation)
        return result.id

    def tree(self, root: Mount) -> Tree:
        return self._snapshotter.tree(self.snapshot(root))

    def root(self, mount: Mount, mounted: ExitStack) -> bytes:
        if mount.readonly and mount.output == EMPTY:
            return mounted.enter_context(self._snapshotter.mount(self.snapshot(mount)))
        return mounted.enter_context(self._active(mount).mount())

    def step_mount(self, mount: Mount, mounted: ExitStack) -> StepMount:
        import os

        from pybuild.runtime.sandbox.step import StepMount

        if mount.mount_type == MountType.TMPFS:
            size = mount.tmpfs_opt.size if mount.tmpfs_opt is not None else 0
            return StepMount(mount.dest, size=size)
        path = self.root(mount, mounted)
        selector = os.fsencode(mount.selector)
        tree = self._snapshotter.tree(self.snapshot(mount))
        where = tree.resolve(selector) if selector.strip(b"/") else None
        if where is not None and where.node is None:
            raise UserError(f"{mount.selector}: no such file or directory to mount at {mount.dest}")
        source = os.path.join(path, where.path) if where is not None else path
        return StepMount(mount.dest, os.fsdecode(source), readonly=mount.readonly)

    def output(self, mount: Mount) -> Result:
        active = self._actives.get(mount.dest)
        return Snapshot(self.snapshot(mount)) if active is None else Snapshot(active.commit())

    def _active(self, mount: Mount) -> Active:
        active = self._snapshotter.prepare(self.snapshot(mount))
        self._stack.callback(active.abort)
        self._actives[mount.dest] = active
        return active


def _of_another_machine(vertex: Vertex, output: bytes) -> UserError | None:
    """The error for a step whose program is of a processor that the kernel runs nothing of."""
    from pybuild.compiler import platforms

    here, there = platforms.default(), vertex.platform
    if there is None or there.architecture == here.architecture or _FORMAT_ERROR not in output:
        return None
    from pybuild.runtime.sandbox.find import install_command

    names = platforms.format_all(there), platforms.format_all(here)
    title = "a step for {} can't run on this machine ({}): nothing here emulates its processor".format(*names)
    return UserError(
        Diagnostic(title, labels=[Label(span) for span in vertex.metadata.spans[:1]]),
        help=f"install QEMU's emulators: {install_command('qemu-user-static')}; or run the step for this machine, "
        "in a stage FROM --platform=$BUILDPLATFORM",
    )


def _meaning(code: int) -> str:
    if code > 128:
        import signal

        try:
            return f"exit code {code}: ended by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"exit code {code}"


def _advice(code: int) -> str:
    known = {
        126: "the program was found but can't be executed: is it built for this platform, is its mode +x?",
        127: "the program, or one it calls, was not found in the image: is it installed, is PATH right?",
        137: "it was killed, perhaps for want of memory: give it more, or let fewer steps run at once "
        "with --max-parallelism",
    }
    return known.get(
        code,
        "its whole output: --progress=plain; to look at the files it left, end the command with `|| true` "
        "and build with -o DIRECTORY",
    )
