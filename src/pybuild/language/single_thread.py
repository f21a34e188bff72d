"""Continue a build in a forked process, which has one thread, if its build module has left others running.

A build enters its namespaces from a process of one thread (`runtime/sandbox/namespaces.py`). A module may leave
threads of its own or of a library (NumPy's import starts those of OpenBLAS). Once all bodies have run nothing needs
them: a forked process has only the thread that forked it, and does the rest.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ensure_single_thread() -> None:
    """Return in a process whose only thread is this one: this process if it has no other, else a forked
    child. The parent waits for the child and ends as it does. The child has a process group of its own, so
    that a signal reaches it once, and dies with the parent. Must be called in the main thread."""
    if len(os.listdir("/proc/self/task")) == 1:
        return
    from pybuild.runtime.sandbox import libc

    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    with warnings.catch_warnings():
        # Python warns that locks of other threads stay locked in the child; those threads are the module's own.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        os.setpgid(child, child)
        _wait(child)
    libc.die_with_parent(signal.SIGKILL)
    # A parent that ended before that sends no signal.
    if os.getppid() != parent:
        os._exit(130)


def _wait(child: int) -> NoReturn:
    """Pass signals on to the child, and end as it ends. Only this thread still runs Python code, yet the
    kernel may deliver a signal to another one: the wakeup pipe reports it here."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while ended not in [fd for fd, _ in poll.poll()]:
        for byte in os.read(reading, 64):
            os.kill(child, byte)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0 and -code in _SIGNALS:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)  # as a shell reports a signal
