"""The entry point of a worker of the daemon: the fork server forks it, the front process gives it its task.

Over its channel (`build/channel.py`) come the task, and from it:

    ("status", bytes)                 a StatusResponse: progress
    ("record", bytes)                 a message of a streaming answer (UsageRecord)
    ("bridge",)                       LLBBridge is served at the task's socket
    ("returned",)                     it is served no more; its answers are to be read
    ("outlasting",)                   it was cancelled, and goes on for another worker that waits for its step
    ("done", {…}, {…})                the answer, and further facts
    ("failed", bytes)                 a google.rpc.Status

After the last of these the worker ends when the front process has hung up.
"""

from __future__ import annotations

import signal
from functools import partial

from pybuild.build.signals import SIGNALS
from pybuild.build.worker import ALONE
from pybuild.build.worker import work as work_for
from pybuild.daemon.tasks import carry_out

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybuild.daemon.settings import Settings


def work(descriptor: int, settings: Settings) -> NoReturn:
    """Carry out the task that comes over this socket, and end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # the fork server ignores them
    # The front process reads the answer after those of LLBBridge, which this process serves until then.
    work_for(descriptor, partial(carry_out, settings=settings), linger=ALONE, patient=True)
