"""One process in a container of a frontend, from before its start to after its end."""

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
"""The exit code of what was ended with its container."""


@frozen
class Asked:
    """A process as a frontend asks for it. `reads`: it is given a standard input."""

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
    """Hears of one process, in a thread of that process's own. A method may take its time: the process waits."""

    def started(self) -> None:
        """Before anything else, also of a process that could not be started."""

    def written(self, stream: int, data: bytes) -> None: ...

    def hurry(self) -> None:
        """The process is to be ended: from now on no method may wait for anybody. Called in any thread."""

    def ended(self, error: BaseException | None) -> None:
        """Last. Without an error the exit code is 0; another one is an ExitFailed."""


class Running:
    """A process, from before its start to after its end, attended to in a thread of its own. Thread-safe. `first` is
    the container's first process, None for that itself. `input` is what it reads, None if it reads nothing."""

    def __init__(
        self,
        container: Container,
        asked: Asked,
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
        """Have its thread start it. Comes first."""
        self._thread.start()

    def await_start(self) -> None:
        """Until it runs, or could not be started."""
        self._begun.wait()

    def resize(self, rows: int, columns: int) -> None:
        """Of its terminal; what has none has no size."""
        with self._guard:
            if self._terminal is not None and self._process is not None:
                self._terminal.resize(rows, columns)
                self._process.signal(signal.SIGWINCH)

    def signal(self, number: int) -> None:
        """Harmless after the end."""
        with self._guard:
            if self._process is not None:
                self._process.signal(number)

    def kill(self) -> None:
        """Idempotent; also before its start."""
        with self._guard:
            self._killed = True
            if self._process is not None:
                self._process.kill()
        self._listener.hurry()

    def join(self) -> None:
        """Until it has ended and its listener knows."""
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
        if self._killed and isinstance(error, UserError):
            error = ExitFailed(error.exit if isinstance(error, ExitFailed) else _KILLED, cancelled=True)
        self._start_is_over()
        if self.input is not None:
            self.input.drop()
        if error is not None:
            self._container.failed(error)
        self._listener.ended(error)
        if self._first is None:
            self._container.await_others()
        self._close()

    def _attend(self) -> None:
        """Raises UserError, ExitFailed."""
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
            with self._guard:
                self._process = None
            code = within.code(process)
        if code:
            raise ExitFailed(int(code))

    def sandboxed(self) -> sandbox.Container:
        """The sandbox's container of the first process, in which it runs. Raises UserError when it does not."""
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
