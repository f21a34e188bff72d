"""The entry point of a worker that builds for a program.

Its events are the progress of the build (`builder/events.py`); its answer is `("done", value)` or
`("failed", error)`.
"""

from __future__ import annotations

import os
import signal

from pybuild.build.signals import SIGNALS
from pybuild.build.worker import work
from pybuild.builder.errors import plain_error
from pybuild.lang.diagnostics import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from pybuild.build.worker import Message, Owner, Task


def main(descriptor: int) -> NoReturn:
    """Carry out the task that comes over this socket, and end."""
    # The mask is inherited: the thread of the program that started this process may have blocked signals.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    work(descriptor, _carry_out, accept=_accept)


def _accept(task: Task) -> int | None:
    """Return a pidfd of the program, None where the kernel has none. End if the program is gone already."""
    for descriptor in task["lent"]:
        os.set_inheritable(descriptor, False)
    parent = os.getppid()
    try:
        program = os.pidfd_open(parent)
    except OSError:
        program = None
    # The pidfd is opened before this check: if the parent is still the program, then so is the pidfd's process.
    if os.getppid() != task["parent"]:
        os._exit(1)
    return program


def _carry_out(task: Task, owner: Owner) -> Message:
    from pybuild.builder.tasks import KINDS

    try:
        return "done", KINDS[task["kind"]](task, owner)
    except BaseException as error:
        # What goes wrong after a cancellation is a consequence of it.
        if owner.cancellation.cancelled and not isinstance(error, Cancelled):
            error = Cancelled()
        return "failed", plain_error(error)
