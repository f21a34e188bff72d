"""A worker: a process for one task of the door's, forked by the zygote.

    main (reads the task) ── enters the namespaces ── starts threads ── answers, ends

Over its channel (`embed/channel.py`) come the task, and from it:

    ("status", bytes)                 a StatusResponse: progress
    ("record", bytes)                 a message of a streaming answer (UsageRecord)
    ("bridge",)                       LLBBridge is served at the task's socket
    ("returned",)                     it is served no more; its answers are to be read
    ("outlasting",)                   it was cancelled, and goes on for another worker that waits for its step
    ("done", {…}, {…})                the answer, and further facts
    ("failed", bytes)                 a google.rpc.Status

After the last of these it ends when the door has hung up. SIGTERM cancels. When the door is gone the worker ends too,
soon after.
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
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from pybuild.daemon.settings import Settings

    Task = dict[str, Any]

ALONE = 5.0
"""Seconds that a worker whose door is gone has to end its steps."""

OTHERS = 5.0
"""Seconds after which a cancelled worker says again that it works for others."""


class Client:
    """The door, as a worker sees it. `started` is to be called in the main thread once threads may be."""

    def __init__(self, channel: Channel, cancellation: Cancellation, watch: Callable[[], None]) -> None:
        self._channel = channel
        self._watch = watch
        self.cancellation = cancellation
        self.outlasts: Callable[[], bool] = lambda: False
        """Whether there is work for others, once this is cancelled."""

    def started(self) -> None:
        self._watch()
        threading.Thread(target=self._end_with_it, daemon=True, name="door").start()
        self.cancellation.on_cancel(
            threading.Thread(target=self._tell_of_others, daemon=True, name="others").start
        )

    def tell(self, event: tuple[Any, ...]) -> None:
        """A door that is gone hears nothing, and wants nothing any more."""
        try:
            self._channel.send(event)
        except OSError:
            self.cancellation.cancel()

    def _tell_of_others(self) -> None:
        while True:
            time.sleep(OTHERS)
            if self.outlasts():
                self.tell(("outlasting",))

    def _end_with_it(self) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLRDHUP)
        poll.poll()
        self.cancellation.cancel()
        time.sleep(ALONE)
        os._exit(1)


def work(descriptor: int, settings: Settings) -> NoReturn:
    """Carry out the task that comes over this socket, and end."""
    os.set_inheritable(descriptor, False)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        task = channel.receive()
    except EOFError:
        os._exit(0)
    cancellation = Cancellation()
    with Interrupts(cancellation, lambda text: None, lambda: None) as heard:
        answer = _answer(task, Client(channel, cancellation, heard.watch), settings)
    try:
        channel.send(answer)
        channel.readable(ALONE)
    except OSError:
        pass
    os._exit(0)


def _answer(task: Task, client: Client, settings: Settings) -> tuple[Any, ...]:
    from pybuild.daemon.failures import status_bytes
    from pybuild.daemon.tasks import KINDS

    try:
        return KINDS[task["kind"]](task, client, settings)
    except BaseException as error:
        return "failed", status_bytes(error, cancelled=client.cancellation.cancelled)
