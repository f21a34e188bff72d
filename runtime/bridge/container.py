"""A container of a frontend: its mounts, which stay from beginning to end, and its processes."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack

from attrs import evolve

from pybuild.compiler.graph import Vertex
from pybuild.compiler.ops import MountType
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.running import Running
from pybuild.runtime.ops.exec_mounts import StepMounts
from pybuild.runtime.sandbox import container as sandbox
from pybuild.runtime.sandbox.step import Step
from pybuild.runtime.sandbox.users import resolve_user
from pybuild.runtime.snapshots.livetree import LiveTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.ops import ExecOp, Mount
    from pybuild.runtime.bridge.running import Listener, ProcessRequest
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.sandbox.users import Identity
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.solver.types import Cancellation


class Container:
    """A container. Its mounts are made by the constructor; the owner must call `release`. The first process
    is the container's: others need it to run, and end with it. Thread-safe. Everything ends when the engine
    is cancelled."""

    def __init__(
        self, engine: Engine, name: str, op: ExecOp, results: Sequence[Result], cancellation: Cancellation
    ) -> None:
        """Mount what `op` lists; it also names the network. Raises UserError, Cancelled."""
        self.name = name
        self._engine = engine
        self._op = op
        self._guard = threading.Lock()
        self._ending = False
        self._failure: BaseException | None = None
        self._running: list[Running] = []
        self._stack = ExitStack()
        try:
            engine.resources.sandbox()  # before anything is mounted: it raises where steps can't run
            self._mounts = StepMounts(engine.resources, op, results, self._stack, cancellation)
            mounted = self._stack.enter_context(ExitStack())
            self._mounts.take_caches(f"container {name}", mounted)
            root = next((one for one in op.mounts if one.dest == "/"), None)
            if root is None:
                raise UserError("the container has no root: mount a state at /")
            self._root = root
            self._rootfs = self._mounts.root(root, mounted)
            others = (one for one in op.mounts if one is not root)
            self._others = [(one, made) for one in others for made in self._mounts.step_mounts(one, mounted)]
        except BaseException:
            self._stack.close()
            raise
        self._forget = engine.cancellation.on_cancel(self.kill)

    # Processes

    def start(self, asked: ProcessRequest, listener: Listener) -> Running:
        """Start a process and wait until it runs or could not be started; the listener gets the outcome.
        Raises UserError for a missing secret."""
        secret_env = self._mounts.secret_env(asked.secret_env)
        with self._guard:
            if self._ending:
                raise UserError("the container has been released")
            first = self._running[0] if self._running else None
            running = Running(self, asked, secret_env, listener, first)
            self._running.append(running)
            running.begin()
        running.await_start()
        return running

    def step(self, asked: ProcessRequest, secret_env: Sequence[str], first: Running | None) -> Step:
        """Return the step that runs a process. Raises UserError, also for an entitlement that the build was
        not granted."""
        if not asked.args:
            raise UserError("args must not be empty")
        self._engine.entitlements.check([Vertex(evolve(self._op, security=asked.security))])
        env = asked.env
        if asked.terminal and not any(one.startswith("TERM=") for one in env):
            env = (*env, "TERM=xterm")
        meta = evolve(
            self._op.meta,
            args=asked.args,
            env=env,
            cwd=asked.cwd or "/",
            user=asked.user,
            remove_mount_stubs_recursive=asked.stubs,
        )
        return Step(
            self._rootfs,
            meta,
            self._identity(asked.user, first),
            mounts=[made for _, made in self._others],
            network=self._op.network,
            security=asked.security if first is None else first.security,
            secret_env=secret_env,
            terminal=asked.terminal,
        )

    def _identity(self, user: str, first: Running | None) -> Identity:
        if not user and first is not None and first.identity is not None:
            return first.identity
        return resolve_user(LiveTree(self._rootfs), user)

    def sandboxed(self, step: Step) -> sandbox.Container:
        """Return the sandbox's container for the first process."""
        return sandbox.Container(self._engine.resources.sandbox(), step)

    def await_others(self) -> None:
        """Wait until the other processes have ended, as they do once the first one has."""
        with self._guard:
            others = self._running[1:]
        for one in others:
            one.join()

    def failed(self, failure: BaseException) -> None:
        with self._guard:
            self._failure = self._failure or failure

    # Files

    def tree(self, index: int) -> Tree:
        """Return the present files of the mount with a number. Raises UserError."""
        mounts = self._op.mounts
        if not 0 <= index < len(mounts):
            raise UserError(f"mount index {index} is out of bounds ({len(mounts)} available)")
        directory = self._mounts.directory(mounts[index]) or self._source(mounts[index])
        if directory is None:
            raise UserError(f"mountable {index} not found")
        return LiveTree(directory)

    def _source(self, mount: Mount) -> bytes | None:
        """Return the directory of a mount that is no state. A tmpfs exists for its processes only."""
        source = next((made.source for one, made in self._others if one is mount), None)
        if mount.mount_type == MountType.TMPFS or source is None or not os.path.isdir(source):
            return None
        return os.fsencode(source)

    # The end

    def kill(self) -> None:
        """Begin to end all processes. Idempotent."""
        with self._guard:
            self._ending = True
            running = list(self._running)
        for one in running:
            one.kill()

    def release(self) -> None:
        """End all processes and remove the mounts. Idempotent."""
        self._forget()
        self.kill()
        for one in self._running:
            one.join()
        self._stack.close()

    def check(self) -> None:
        """Raise the error of the process that failed first, if any failed."""
        if self._failure is not None:
            raise self._failure
