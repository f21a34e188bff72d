"""The process that builds for a program: one task, then its end.

    main (reads the task) ── enters the namespaces ── starts threads ── answers

What it hears of goes to the program as it happens; then comes `("done", value)` or `("failed", error)`. SIGTERM
cancels. When the program is gone, so is the worker, soon after.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time

from pybuild.build.signals import SIGNALS, Interrupts
from pybuild.builder.channel import Channel
from pybuild.builder.errors import plain_error
from pybuild.builder.events import Sender
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

ALONE = 5.0
"""Seconds that a worker whose program is gone has to end its steps."""


class Client:
    """The program that a worker works for."""

    def __init__(self, channel: Channel, cancellation: Cancellation) -> None:
        self.channel = channel
        self.cancellation = cancellation
        self.observer = Sender(self._tell, self._watch)
        self._process = _process(os.getppid())
        self.on_start: Callable[[], None] = lambda: None

    def _tell(self, event: tuple[Any, ...]) -> None:
        """A program that is gone hears nothing, and wants nothing any more."""
        try:
            self.channel.send(event)
        except OSError:
            self.cancellation.cancel()

    def _watch(self) -> None:
        self.on_start()
        threading.Thread(target=self._end_with_it, daemon=True).start()

    def _end_with_it(self) -> None:
        """By the process too: what it forked may hold its end of the channel open."""
        poll = select.poll()
        poll.register(self.channel, select.POLLRDHUP)
        if self._process is not None:
            poll.register(self._process, select.POLLIN)
        poll.poll()
        self.cancellation.cancel()
        time.sleep(ALONE)
        os._exit(1)


def _process(number: int) -> int | None:
    """A descriptor that is readable once the process has ended; None where the kernel has no such thing."""
    try:
        return os.pidfd_open(number)
    except OSError:
        return None


def main(number: int) -> None:
    """Carry out the task that comes over the socket with this descriptor, and end."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.set_inheritable(number, False)
    channel = Channel(socket.socket(fileno=number))
    try:
        task = channel.receive()
    except EOFError:
        os._exit(1)
    for lent in task["lent"]:
        os.set_inheritable(lent, False)
    cancellation = Cancellation()
    client = Client(channel, cancellation)
    if os.getppid() != task["parent"]:
        os._exit(1)
    with Interrupts(cancellation, lambda text: None, lambda: None) as heard:
        client.on_start = heard.watch
        answer = _answer(task, client)
    try:
        channel.send(answer)
    except OSError:
        pass
    os._exit(0)


def _answer(task: Mapping[str, Any], client: Client) -> tuple[str, Any]:
    from pybuild.builder import tasks

    try:
        return "done", tasks.KINDS[task["kind"]](task, client)
    except BaseException as error:
        if client.cancellation.cancelled and not isinstance(error, Cancelled):
            error = Cancelled()
        return "failed", plain_error(error)
