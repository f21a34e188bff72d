"""A worker from the program's side: a process that builds, in namespaces of its own.

A process can enter a build's namespaces only while it has one thread, so it can't be the program's own. The worker
ends with its answer, when the program does, or when it is cancelled; a terminal's Ctrl-C reaches the program alone.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress

from pybuild.build.channel import Channel
from pybuild.builder.descriptors import above_streams
from pybuild.builder.errors import WorkerDied, error_of
from pybuild.builder.events import deliver
from pybuild.lang.diagnostics import Cancelled, UsageError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pybuild.runtime.progress.observer import Observer

GRACE = 30.0
"""Seconds that a cancelled worker has to end its steps and leave the store as it should be."""
_OUTPUT = 4096
"""Bytes of a dead worker's last output that its error shows."""
_LAST = ("done", "failed")
_START = (
    "import sys; sys.path[:] = sys.argv[3:]; from pybuild.builder.worker import main; main(int(sys.argv[1]))"
)


class Worker:
    """A process with one task. Any thread may cancel it; one at a time may talk to it. Close it."""

    def __init__(
        self, task: Mapping[str, Any], *, root: str, directory: str, lent: Sequence[int] = ()
    ) -> None:
        """Start the process. `root` is the store, `directory` the working directory; the worker inherits the
        descriptors `lent` under the same numbers."""
        # The worker's standard streams would cover a descriptor with a number below 3.
        ours, theirs = map(_above_streams, socket.socketpair())
        output = os.memfd_create("pybuild-worker")
        try:
            with theirs:
                self._process = subprocess.Popen(
                    _command(theirs.fileno(), root),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=directory,
                    env={**os.environ, "PYBUILD_ROOT": root},
                    pass_fds=(theirs.fileno(), *lent),
                    process_group=0,  # a terminal's Ctrl-C goes to the foreground group: the program's
                )
        except BaseException as error:
            ours.close()
            os.close(output)
            if isinstance(error, OSError):
                raise UserError(
                    f"the process that builds can't be started: {error}",
                    help="it is started in the builder's directory, with the interpreter that sys.executable names",
                ) from error
            raise
        self._channel = Channel(ours)
        self._output = output
        self._guard = threading.Lock()
        self._deadline: float | None = None
        self.close = weakref.finalize(self, _end, self._process, self._channel, output, os.getpid())
        self.send({**task, "parent": os.getpid(), "lent": list(lent)})

    def send(self, value: Any) -> None:
        """Send a value; a worker that has ended doesn't get it."""
        try:
            self._channel.send(value)
        except OSError:
            pass

    def next(self) -> tuple[Any, ...] | None:
        """Return the next event; None when the worker has ended."""
        while not self._channel.readable(1.0):
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._process.kill()
            if self._process.poll() is not None and not self._channel.readable(0):
                return None  # a process that was forked meanwhile may hold the worker's end
        try:
            event: tuple[Any, ...] = self._channel.receive()
        except EOFError:
            return None
        return event

    def answer(self, observer: Observer) -> Any:
        """Return the answer to the task; `observer` gets all events before it, in this thread. The worker has ended
        when this returns or raises. Raises UserError, Cancelled, WorkerDied, InternalError, and what the observer
        raises."""
        try:
            last = self._deliver_events(observer)
            if last is None:
                raise self._death()
        finally:
            self.close()
        kind, value = last
        if kind == "failed":
            raise error_of(value)
        return value

    def _deliver_events(self, observer: Observer) -> tuple[Any, ...] | None:
        try:
            while (event := self.next()) is not None and event[0] not in _LAST:
                deliver(event, observer)
            return event
        except BaseException:
            self.cancel()
            self._exhaust()
            raise

    def cancel(self) -> None:
        """Send SIGTERM, and SIGKILL after GRACE seconds. Idempotent."""
        with self._guard:
            if self._deadline is None:  # a second SIGTERM would end it at once, before its steps
                self._deadline = time.monotonic() + GRACE
                self._process.send_signal(signal.SIGTERM)

    def _exhaust(self) -> None:
        """Read on until the worker ends: a full channel would keep it from ending. A second Ctrl-C kills it."""
        try:
            while (event := self.next()) is not None and event[0] not in _LAST:
                pass
        except BaseException:
            self._process.kill()
            raise

    def _death(self) -> Exception:
        code = self._process.wait()
        if self._deadline is not None:
            return Cancelled()
        size = os.fstat(self._output).st_size
        data = os.pread(self._output, _OUTPUT, max(size - _OUTPUT, 0))
        return WorkerDied(code, data.decode("utf-8", "replace").strip())


def _above_streams(end: socket.socket) -> socket.socket:
    return socket.socket(fileno=above_streams(end.detach()))


def _command(channel: int, root: str) -> list[str]:
    """Return the command line of a worker, which imports from the same path as this process. `root` is there for
    readers of the process list. Raises UsageError."""
    if not sys.executable:
        raise UsageError(
            "builds need a Python interpreter of their own, and sys.executable names none",
            help="set sys.executable to one that has pybuild",
        )
    package = os.path.abspath(__file__)
    # From builder/process.py up to the directory that holds the package.
    for _ in range(3):
        package = os.path.dirname(package)
    path = [os.path.abspath(entry) for entry in sys.path if entry]
    # -I: neither variables nor the working directory decide what the worker imports.
    flags = ["-I", "-X", "utf8", *(["-B"] if sys.dont_write_bytecode else [])]
    return [sys.executable, *flags, "-c", _START, str(channel), root, package, *path]


def _end(process: subprocess.Popen[bytes], channel: Channel, output: int, owner: int) -> None:
    """Hang up, at which the worker ends, and wait for it. In a process forked from the owner only forget it."""
    try:
        if os.getpid() == owner:
            channel.hang_up()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
    finally:
        if os.getpid() == owner and process.poll() is None:
            process.kill()
            process.wait()
        channel.close()
        os.close(output)
