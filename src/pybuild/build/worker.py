"""A worker: the process of one task. Programs start workers, and so does the daemon.

    main thread   receives the task ── enters namespaces ── calls `Owner.started` ── carries it out ── answers, ends
    "owner"       waits until the owner is gone, then cancels, and ends the process

The task comes over the worker's channel (`build/channel.py`). Back go events, tuples that begin with their kind, and
last the answer. SIGTERM cancels. A process can enter namespaces only while it has one thread: so the threads that
watch are started by `Owner.started`, which the task calls once it has entered them.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time

from pybuild.build.channel import Channel
from pybuild.build.signals import Interrupts
from pybuild.runtime.solver.types import Cancellation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Task = dict[str, Any]
    Message = tuple[Any, ...]

ALONE = 5.0
"""Seconds that a worker has to end its steps once its owner is gone."""


class Owner:
    """The process that a worker works for, as the worker sees it: the other end of its channel."""

    def __init__(
        self,
        channel: Channel,
        cancellation: Cancellation,
        watch_signals: Callable[[], None],
        process: int | None = None,
    ) -> None:
        """`process` is a pidfd of the owner, for owners whose end of the channel may live on in other processes."""
        self.channel = channel
        self.cancellation = cancellation
        self._watch_signals = watch_signals
        self._process = process

    def started(self) -> None:
        """Start the threads that watch for signals and for the owner's end. Call it in the main thread, once the
        process has entered its namespaces."""
        self._watch_signals()
        threading.Thread(target=self._end_with_owner, daemon=True, name="owner").start()

    def tell(self, event: Message) -> None:
        """Send an event. If the owner is gone, nobody wants the result: cancel."""
        try:
            self.channel.send(event)
        except OSError:
            self.cancellation.cancel()

    def _end_with_owner(self) -> None:
        poll = select.poll()
        poll.register(self.channel, select.POLLRDHUP)
        if self._process is not None:
            # A process that the owner forked may hold its end of the channel open.
            poll.register(self._process, select.POLLIN)
        poll.poll()
        self.cancellation.cancel()
        time.sleep(ALONE)
        os._exit(1)


def work(
    descriptor: int,
    carry_out: Callable[[Task, Owner], Message],
    *,
    accept: Callable[[Task], int | None] = lambda task: None,
    linger: float = 0.0,
    patient: bool = False,
) -> NoReturn:
    """Receive a task over the socket `descriptor`, send the answer that `carry_out` returns, and end the process.

    `accept` is called with the task before all else; it returns a pidfd of the owner, or None where the channel tells
    enough. The worker waits up to `linger` seconds for the owner to hang up after the answer. A `patient` one
    takes its time after a signal: others may wait for what it does.
    """
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        task = channel.receive()
    except EOFError:
        os._exit(0)  # the owner ended, or gave up, before it had a task
    process = accept(task)
    cancellation = Cancellation()
    with Interrupts(cancellation, lambda text: None, lambda: None, patient=patient) as interrupts:
        answer = carry_out(task, Owner(channel, cancellation, interrupts.watch, process))
    try:
        channel.send(answer)
        if linger:
            channel.readable(linger)
    except OSError:
        pass
    # Not sys.exit: threads of the task may go on for ever, and nobody waits for what they would do.
    os._exit(0)
