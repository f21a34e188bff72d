"""A process in a container of a frontend, from before its start until after its end."""

from __future__ import annotations

import os
import signal
import threading
import traceback

from attrs import frozen

from pybuild.compiler.ops import SecurityMode
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.feed import Feed
from pybuild.runtime.bridge.statuses import ExitFailed
from pybuild.runtime.sandbox.terminal import Terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybuild.compiler.ops import SecretEnv
    from pybuild.runtime.bridge.container import Container
    from pybuild.runtime.sandbox import container as sandbox
    from pybuild.runtime.sandbox.process import Process
    from pybuild.runtime.sandbox.users import Identity

_KILLED = 137
"""Exit code of a process that was killed with its container."""


@frozen
class ProcessRequest:
    """A frontend's request for a process. `reads` is whether it has a standard input."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = ""
    user: str = ""
    secret_env: tuple[SecretEnv, ...] = ()
    security: SecurityMode = SecurityMode.SANDBOX
    stubs: bool = False
    terminal: bool = False
    reads: bool = False


class Listener:
    """A receiver of one process's events, called in that process's own thread. A method may take its time:
    the process waits."""

    def started(self) -> None:
        """The process was started, or could not be. Comes first."""

    def written(self, stream: int, data: bytes) -> None: ...

    def hurry(self) -> None:
        """The process is about to be killed: from now on no method may wait. Called in any thread."""

    def ended(self, error: BaseException | None) -> None:
        """The process has ended, with exit code 0 if there is no error; another code is an ExitFailed. Comes
        last."""


class Running:
    """A process with a thread that attends to it from before its start until after its end. Thread-safe.
    `first` is the container's first process, None for that itself. `input` is its standard input, None if it
    has none."""

    def __init__(
        self,
        container: Container,
        asked: ProcessRequest,
        secret_env: Sequence[str],
        listener: Listener,
        first: Running | None,
    ) -> None:
        """Raises OSError."""
        self.security: SecurityMode = asked.security if first is None else first.security
        self.identity: Identity | None = None
        self._container = container
        self._asked = asked
        self._secret_env = secret_env
        self._listener = listener
        self._first = first
        self._guard = threading.Lock()
        self._sandboxed: sandbox.Container | None = None
        self._process: Process | None = None
        self._killed = False
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="container", daemon=True)
        self._terminal = Terminal() if asked.terminal else None
        self._reading = -1
        self.input: Feed | None = None
        if asked.reads and self._terminal is not None:
            self.input = Feed(os.dup(self._terminal.outer))
        elif asked.reads:
            self._reading, writing = os.pipe()
            self.input = Feed(writing)

    def begin(self) -> None:
        """Start the thread, which starts the process. Must be called first."""
        self._thread.start()

    def await_start(self) -> None:
        """Wait until the process runs or could not be started."""
        self._begun.wait()

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the terminal; does nothing without one."""
        with self._guard:
            if self._terminal is not None and self._process is not None:
                self._terminal.resize(rows, columns)
                self._process.signal(signal.SIGWINCH)

    def signal(self, number: int) -> None:
        """Send a signal; does nothing after the process has ended."""
        with self._guard:
            if self._process is not None:
                self._process.signal(number)

    def kill(self) -> None:
        """Kill the process, also one that has not started. Idempotent."""
        with self._guard:
            self._killed = True
            if self._process is not None:
                self._process.kill()
        self._listener.hurry()

    def join(self) -> None:
        """Wait until the process has ended and its listener was told."""
        self._thread.join()

    # In its thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._attend()
        except BaseException as failure:
            error = failure
            if not isinstance(failure, UserError):
                traceback.print_exception(failure)
        # Whatever a killed process ended with, the cause is that it was killed.
        if self._killed and isinstance(error, UserError):
            error = ExitFailed(error.exit if isinstance(error, ExitFailed) else _KILLED, cancelled=True)
        self._start_is_over()
        if self.input is not None:
            self.input.drop()
        if error is not None:
            self._container.failed(error)
        self._listener.ended(error)
        # The others run inside the first process's container, which is closed below.
        if self._first is None:
            self._container.await_others()
        self._close()

    def _attend(self) -> None:
        """Run the process to its end. Raises UserError, ExitFailed."""
        step = self._container.step(self._asked, self._secret_env, self._first)
        self.identity = step.identity
        stdin = self._reading if self._reading >= 0 else None
        if self._first is None:
            within = self._sandboxed = self._container.sandboxed(step)
            process = within.start(stdin=stdin, terminal=self._terminal, joined=True)
        else:
            within = self._first.sandboxed()
            process = within.join(step, stdin=stdin, terminal=self._terminal)
        with process:
            self._has_begun(process)
            process.await_start()
            self._start_is_over()
            process.attend(self._listener.written)
            # Before the exit code is collected: its pid may belong to another process from then on.
            with self._guard:
                self._process = None
            code = within.code(process)
        if code:
            raise ExitFailed(int(code))

    def sandboxed(self) -> sandbox.Container:
        """Return the sandbox's container, which the first process runs in. Raises UserError if that process
        does not run."""
        self._begun.wait()
        with self._guard:
            if self._process is None or self._sandboxed is None:
                raise UserError(f"container {self._container.name} not found")
            return self._sandboxed

    def _has_begun(self, process: Process) -> None:
        self._close_reading()
        with self._guard:
            self._process = process
            killed = self._killed
        # `kill` came between the constructor and the start, when there was no process yet.
        if killed:
            process.kill()

    def _start_is_over(self) -> None:
        if not self._begun.is_set():
            self._listener.started()
            self._begun.set()

    def _close(self) -> None:
        self._close_reading()
        if self._terminal is not None:
            self._terminal.close()
        if self._sandboxed is not None:
            self._sandboxed.close()

    def _close_reading(self) -> None:
        reading, self._reading = self._reading, -1
        if reading >= 0:
            os.close(reading)
