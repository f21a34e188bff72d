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

from pybuild.build.signals import SIGNALS
from pybuild.build.worker import ALONE
from pybuild.build.worker import work as work_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybuild.build.worker import Message, Owner, Task
    from pybuild.daemon.settings import Settings


def work(descriptor: int, settings: Settings) -> NoReturn:
    """Carry out the task that comes over this socket, and end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # the fork server ignores them

    def carry_out(task: Task, owner: Owner) -> Message:
        from pybuild.daemon.failures import status_bytes
        from pybuild.daemon.tasks import KINDS

        try:
            return KINDS[task["kind"]](task, owner, settings)
        except BaseException as error:
            return "failed", status_bytes(error, cancelled=owner.cancellation.cancelled)

    # The front process reads the answer after those of LLBBridge, which this process serves until then.
    work_for(descriptor, carry_out, linger=ALONE, patient=True)
