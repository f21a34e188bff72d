"""Frontends that are images: one is run in a container, with the gateway as gRPC on its standard input and output.

    serve      the gateway on a socket in a directory of this user alone
    relay      bytes between that socket and the container's
    run        the image's entrypoint; its standard error goes into the build's log
    result     what it returned, or why there is none

How a frontend is called (its program, environment, labels, network) is BuildKit's `frontend/gateway`. Needs the extra
`pybuild[buildkit]`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from contextlib import ExitStack

from attrs import frozen

from pybuild.compiler.gateway import Request, UnsupportedCapability
from pybuild.compiler.graph import Edge
from pybuild.compiler.image import Image
from pybuild.compiler.llb.encode import encode_definition
from pybuild.compiler.ops import Meta, NetMode
from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import Cancelled, Diagnostic, UserError
from pybuild.runtime.bridge.caller import variables, worker_record
from pybuild.runtime.bridge.relay import Relay
from pybuild.runtime.ops.stepoutput import StepOutput
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.sandbox.step import Step, StepMount
from pybuild.runtime.sandbox.users import resolve_user
from pybuild.runtime.session.sockets import make_private_directory
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.gateway import Result
    from pybuild.compiler.protos.worker_pb2 import WorkerRecord
    from pybuild.runtime.bridge.caller import Caller
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.bridge.service import Served
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.sandbox.executor import ExitCode

LABEL = "moby.buildkit.frontend."
_INPUTS = LABEL + "inputs"
_DEFAULT_PROGRAM = ("/run",)
_METADATA = "/run/config/buildkit/metadata"
_SHOWN_LINES = 10
_LOGGED = 1 << 20
"""Bytes of a frontend's standard error that go into the build's log."""
_GRACE = 5.0
"""Seconds that a frontend has to end once it has returned a result."""
_LAST_WORDS = 1.0
"""Seconds that a frontend has to end after closing its connection, so that its last error output is heard."""
_WITH_INPUTS = frozenset(
    "sha256:" + digest
    for digest in (
        "9ac1c43a60e31dca741a6fe8314130a9cd4c4db0311fbbc636ff992ef60ae76d",  # docker/dockerfile:1.1.6
        "080bd74d8778f83e7b670de193362d8c593c8b14f5c8fb919d28ee8feda0d069",  # docker/dockerfile:1.1.7
        "60543a9d92b92af5088fb2938fb09b2072684af8384399e153e137fe081f8ab4",  # …:1.1.6-experimental
        "de85b2f3a3e8a2f7fe48e8e84a65f6fdd5cd5183afa6412fff9caa6871649c44",  # …:1.1.7-experimental
    )
)
"""Images that take inputs but are older than the label that declares it."""


class FrontendFailed(UserError):
    """A frontend ended without a result. `reference` names its image."""

    def __init__(self, reference: str, title: str, output: StepOutput, help: str) -> None:
        lines = output.lines()[-_SHOWN_LINES:]
        notes = [("output", "\n".join(["(the last lines)", *lines]))] if lines else []
        super().__init__(Diagnostic(title, notes=notes), help=help)
        self.reference = reference


@frozen
class FrontendImage:
    """The image of a frontend: its files, its config, the digest that its name leads to ("" if none is known).
    `reference` is what the user calls it."""

    reference: str
    edge: Edge | None
    config: Image
    digest: str = ""


def run_frontend(image: FrontendImage, request: Request, gateway: Gateway, caller: Caller) -> Result:
    """Run a frontend on a request's options and inputs and return its result. Its container, socket and
    directory are gone when this returns. Raises UserError, Cancelled."""
    _check_capabilities(image, request)
    root = gateway.evaluate(gateway.judged(image.edge))
    with ExitStack() as stack:
        return _Run(image, request, gateway.with_inputs(request.inputs), stack).run(
            gateway.engine.snapshot(root),
            variables(image.config, request.options, caller),
            worker_record(caller),
        )


class _Run:
    """A run of a frontend. `stack` undoes everything that it sets up."""

    def __init__(self, image: FrontendImage, request: Request, gateway: Gateway, stack: ExitStack) -> None:
        self._image = image
        self._gateway = gateway
        self._engine: Engine = gateway.engine
        self._stack = stack
        self._log = _Log(self._engine.observer, f"[internal] run frontend {image.reference}")
        self._stop = Cancellation()
        stack.callback(self._engine.cancellation.on_cancel(self._stop.cancel))
        self._reason = ""
        self._guard = threading.Lock()
        self._ending: threading.Timer | None = None
        self._over = False

    def run(self, snapshot: int | None, variables: Sequence[str], worker: WorkerRecord) -> Result:
        from pybuild.runtime.bridge import service

        directory = make_private_directory(tempfile.gettempdir())
        self._stack.callback(shutil.rmtree, directory, ignore_errors=True)
        socket_path = os.path.join(directory, "gateway")
        served = service.serve(self._gateway, socket_path, worker=worker)
        self._stack.callback(served.stop)
        relay = self._stack.enter_context(Relay(socket_path, lambda why: self._end_soon(_LAST_WORDS, why)))
        self._stack.callback(served.on_return(lambda: self._end_soon(_GRACE)))
        # Undone in reverse: the log is closed and the timer ended before the relay and the server go.
        self._stack.callback(self._at_end)
        self._stack.callback(self._log.close)
        step = self._step(snapshot, variables)
        code = self._execute(step, relay)
        return self._result(code, served)

    def _step(self, snapshot: int | None, variables: Sequence[str]) -> Step:
        snapshotter, config = self._engine.snapshotter, self._image.config.config
        self._engine.resources.sandbox()  # before anything is mounted: it raises where steps can't run
        active = snapshotter.prepare(snapshot)
        self._stack.callback(active.abort)
        meta = Meta(
            args=config.entrypoint or _DEFAULT_PROGRAM,
            env=tuple(variables),
            cwd=config.working_dir or "/",
            remove_mount_stubs_recursive=True,
        )
        offline = truth(config.labels.get(LABEL + "network.none", "")) is True
        return Step(
            self._stack.enter_context(active.mount()),
            meta,
            resolve_user(snapshotter.tree(snapshot), ""),
            mounts=[
                StepMount(_METADATA, self._metadata(), readonly=True, options=["nosuid", "nodev", "noexec"])
            ],
            network=NetMode.NONE if offline else NetMode.UNSET,
        )

    def _metadata(self) -> str:
        """Return a directory with the definition of the frontend's own image, which is mounted for it."""
        path = self._engine.resources.sandbox().private_path("frontend")
        os.mkdir(path, 0o755)
        self._stack.callback(shutil.rmtree, path)
        with open(os.path.join(path, "frontend.bin"), "wb", opener=_readable) as file:
            file.write(encode_definition(self._image.edge))
        return path

    def _execute(self, step: Step, relay: Relay) -> ExitCode | None:
        """Run the frontend and return its exit code; None for one that had to be ended."""
        fd = relay.fileno()
        try:
            return self._engine.resources.sandbox().run(
                step,
                on_output=self._log,
                cancellation=self._stop,
                stdin=fd,
                stdout=fd,
                on_start=relay.give_away,
            )
        except Cancelled:
            # Cancelled by the timer: the frontend had returned, or had closed its connection.
            if self._engine.cancellation.cancelled:
                raise
            return None

    def _end_soon(self, seconds: float, reason: str = "") -> None:
        """End the frontend unless it ends by itself within `seconds`. Only the first call counts."""
        with self._guard:
            if self._ending is None and not self._over:
                self._reason = reason
                self._ending = threading.Timer(seconds, self._stop.cancel)
                self._ending.daemon = True
                self._ending.start()

    def _at_end(self) -> None:
        with self._guard:
            self._over = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending.join()

    def _result(self, code: ExitCode | None, served: Served) -> Result:
        """Return the frontend's result. A returned error takes precedence over a failed process, and that
        over a result. Raises UserError."""
        returned = served.returned()
        if isinstance(returned, UserError):
            raise returned
        if code:
            raise self._failed(f"exit code: {int(code)}", "its last lines may say why")
        if returned is None and code is None:
            raise self._failed(f"frontend grpc server closed unexpectedly{self._reason}", "")
        if returned is None:
            raise self._failed(
                "no result for incomplete build", "a frontend has to return a result before it ends"
            )
        return returned

    def _failed(self, what: str, help: str) -> FrontendFailed:
        reference = self._image.reference
        return FrontendFailed(
            reference,
            f"the frontend {reference} failed: {what}",
            self._log.output,
            help or "is the image a frontend? It must speak gRPC on its standard input and output",
        )


class _Log:
    """The standard error of a frontend as a vertex, which is shown once there is output."""

    def __init__(self, observer: Observer, name: str) -> None:
        self._observer = observer
        self._name = name
        self._tracked: Tracked | None = None
        self._left = _LOGGED
        self.output = StepOutput()

    def __call__(self, stream: int, data: bytes) -> None:
        self.output.add(data)
        if self._left <= 0:
            return
        if self._tracked is None:
            self._tracked = Tracked(self._observer, self._name).__enter__()
        self._observer.log(self._tracked.digest, stream, data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._observer.log(self._tracked.digest, stream, b"\n[the rest is not shown]\n")

    def close(self) -> None:
        if self._tracked is not None:
            self._tracked.__exit__(None, None, None)


def _check_capabilities(image: FrontendImage, request: Request) -> None:
    """Raise UnsupportedCapability for a capability that the request needs and the image's label lacks."""
    able = _names(image.config.config.labels.get(LABEL + "caps", ""))
    if image.digest in _WITH_INPUTS:
        able.add(_INPUTS)
    needed = _names(request.options.get("frontend.caps", "")) | ({_INPUTS} if request.inputs else set())
    for name in sorted(needed - able):
        raise UnsupportedCapability(name)


def _names(text: str) -> set[str]:
    return {word.partition("+")[0] for word in text.split(",")} - {""}


def _readable(path: str, flags: int) -> int:
    return os.open(path, flags, 0o444)
