"""A process in a container, handled through the runtime's process that started it.

That one waits for the container's process and forwards signals to it.
"""

from __future__ import annotations

import errno
import os
import select
import signal

from pybuild.runtime.sandbox.output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.sandbox.executor import Sandbox
    from pybuild.runtime.sandbox.runner import Child
    from pybuild.runtime.sandbox.terminal import Terminal

    OnOutput = Callable[[int, bytes], None]

STDOUT, STDERR = 1, 2
_CHUNK = 1 << 16
_SIGNALLED = 128
_LOOKS = 2
"""Milliseconds between two checks for the pid file, by which the runtime tells that a process has started."""


class ExitCode(int):
    """A step's exit code as a shell gives it: 128 + number for a signal. `out_of_memory`: the kernel killed a
    process of the step for lack of memory. `out_of_processes`: it refused the step another process. Both are known
    only for a step with such a limit. `format_error`: it could not execute the step's program, and the output has
    no message of that."""

    out_of_memory = False
    out_of_processes = False
    format_error = False


class Process:
    """A process in a container. Attend it in one thread; any thread may signal and kill it. As a context manager
    it kills a process that is still running at the end. `log` is the runtime's log, `program` the name of what it
    runs."""

    __slots__ = (
        "_child",
        "_format_error",
        "_outputs",
        "_pid_file",
        "_sandbox",
        "_status",
        "_terminal",
        "log",
        "program",
    )

    def __init__(
        self, sandbox: Sandbox, program: str, log: str, pid_file: str, terminal: Terminal | None
    ) -> None:
        self.program = program
        self.log = log
        self._sandbox = sandbox
        self._pid_file = pid_file
        self._terminal = terminal
        self._child: Child | None = None
        self._outputs: dict[int, int] = {}
        self._status: int | None = None
        self._format_error = False

    def begin(self, command: Sequence[str], stdin: int | None, stdout: int | None) -> None:
        """Start the runtime with the given streams, and pipes for the others."""
        if self._terminal is not None:
            inner = self._terminal.inner
            self._child = self._sandbox.spawn(command, inner, inner, inner)
            self._terminal.give_away()
            self._outputs = {self._terminal.outer: STDOUT}
        else:
            self._child, self._outputs = self._sandbox.spawn_piped(command, stdin, stdout)

    def attend(self, on_output: OnOutput, watch: Callable[[], int] | None = None) -> None:
        """Call `on_output(stream, data)` with everything the process writes, until it has ended. `watch` is called
        after each piece of output, and again after as many milliseconds as it returns."""
        assert self._child is not None
        output = Output(self.program, on_output)
        _stream(self._outputs, output, watch)
        output.finish()
        self._status = self._child.wait() or 0
        self._format_error = output.format_error

    def exit_code(self) -> ExitCode:
        """The exit code of a process that has ended. `Container.code` finds out if it never began."""
        assert self._status is not None
        code = ExitCode(self._status if self._status >= 0 else _SIGNALLED - self._status)
        code.format_error = self._format_error
        return code

    def await_start(self) -> None:
        """Wait until it runs or has ended. From then on signals reach it, and others may join the container."""
        assert self._child is not None
        ended = select.poll()
        ended.register(self._child, select.POLLIN)
        while not os.path.exists(self._pid_file) and not ended.poll(_LOOKS):
            continue
        if self._terminal is not None:
            self.signal(signal.SIGWINCH)  # not every runtime looks at the size by itself

    def signal(self, number: int) -> None:
        """Send a signal to the process through the runtime, which forwards all but SIGKILL; that one is `kill`.
        Harmless after the end."""
        if number == signal.SIGKILL:
            self.kill()
        elif self._child is not None:
            self._child.signal(number)

    def kill(self) -> None:
        """Kill it and its descendants by SIGKILL; with a container's first process all others die too. Harmless
        after the end."""
        if self._child is not None:
            self._child.kill()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        child, self._child = self._child, None
        if child is not None:
            if self._status is None:
                child.kill()
                child.wait()
            child.close()
        if self._terminal is None:
            for fd in self._outputs:
                os.close(fd)
        self._outputs = {}


def _stream(outputs: dict[int, int], on_output: OnOutput, watch: Callable[[], int] | None) -> None:
    """Pass on output until the last writer of each stream has closed it. A step's orphans may hold on to a stream,
    but they die with its pid namespace."""
    poll = select.poll()
    for fd in outputs:
        poll.register(fd, select.POLLIN)
    left = len(outputs)
    while left:
        for fd, _ in poll.poll(None if watch is None else watch()):
            data = _read(fd)
            if data:
                on_output(outputs[fd], data)
            else:
                poll.unregister(fd)
                left -= 1


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK)
    except OSError as error:
        if error.errno == errno.EIO:  # the end of a terminal, when nobody has its other side open
            return b""
        raise
