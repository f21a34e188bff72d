"""Ctrl-C and SIGTERM: the first cancels what the command does, the second ends the process, and so does a second of
time. The exit code is 128 and the signal's number.

A build is cancelled by its `Cancellation` (`runtime/solver/types.py`), another command by a KeyboardInterrupt. Both
leave room for cleaning up, and neither waits for what may never come: an answer of a registry, a lock, a program that
hangs. What a process ended that way leaves behind, the next one removes, as after a kill -9.

The kernel may deliver a process's signal to any of its threads, and Python runs handlers in the main thread alone: if
another thread gets it while the main one waits, the handler waits too. Once there are threads, one of them therefore
watches the descriptor that Python's own part of the handler writes to.
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pybuild.runtime.solver.types import Cancellation

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = "cancelling; press Ctrl-C again to end at once"
GRACE = 1.0
"""Seconds from a signal to the end of the process, at most."""

_received: list[int] = []


def exit_code() -> int:
    """Return the exit code of a cancelled command: that of the signal that cancelled it, Ctrl-C's without one."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def raise_interrupts() -> None:
    """Make the first signal raise a KeyboardInterrupt in the main thread. A signal that this process was started to
    ignore stays ignored."""
    _handle_by(_interrupt)


def end_silently() -> None:
    """Make a signal end the process at once: nothing is left to be cancelled."""
    _handle_by(_end)


def _handle_by(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _received:
        os._exit(exit_code())
    _received.append(number)
    _in_thread(_end_late)
    raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _in_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own. If there can be no other thread, the process ends."""
    from _thread import start_new_thread

    try:
        start_new_thread(work, ())
    except RuntimeError:
        os._exit(exit_code())


def _end_late(over: Callable[[], bool] = lambda: False, restore: Callable[[], None] = lambda: None) -> None:
    """End the process after `GRACE`, unless all is over then."""
    time.sleep(GRACE)
    if over():
        return
    try:
        restore()
        os.write(2, b"pybuild: cancelled\n")
    finally:
        os._exit(exit_code())


class Interrupts:
    """A context manager in which a signal cancels the build. A second one, or `GRACE` unless `patient`, calls
    `restore` and ends the process. To be entered in the main thread.

    The handler runs at any point, perhaps while its thread holds a lock: it takes none, and leaves the
    callbacks to a thread of their own.
    """

    __slots__ = (
        "_before",
        "_cancellation",
        "_cancelled",
        "_notice",
        "_over",
        "_patient",
        "_pipe",
        "_restore",
    )

    def __init__(
        self,
        cancellation: Cancellation,
        notice: Callable[[str], None],
        restore: Callable[[], None],
        *,
        patient: bool = False,
    ) -> None:
        self._cancellation = cancellation
        self._notice = notice
        self._restore = restore
        self._cancelled = False
        self._over = False
        self._patient = patient
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Interrupts:
        self._before = [signal.signal(number, self._handle) for number in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for number, handler in zip(SIGNALS, self._before, strict=True):
            signal.signal(number, handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._pipe[1])  # at which the thread ends

    def watch(self) -> None:
        """Start a thread that waits for signals. Called in the main thread once the process may have
        threads."""
        from _thread import start_new_thread

        if self._pipe is not None:
            return
        # No signal may come between the two ways of hearing of it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pipe = self._pipe = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(pipe[1], False)
            signal.set_wakeup_fd(pipe[1], warn_on_full_buffer=False)
            start_new_thread(self._hear, (pipe[0],))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _hear(self, pipe: int) -> None:
        with open(pipe, "rb", buffering=0) as file:
            while numbers := file.read(64):
                for number in numbers:
                    if number in SIGNALS:
                        self._interrupt(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # Once there is a pipe, Python has written the signal's number to it, and `_hear` reads that.
        if self._pipe is None:
            self._interrupt(number)

    def _interrupt(self, number: int) -> None:
        if self._cancelled:
            self._restore()
            # Not sys.exit: this may be any thread, and others may never end.
            os._exit(exit_code())
        self._cancelled = True
        _received.append(number)
        _in_thread(self._cancel)

    def _cancel(self) -> None:
        if not self._patient:
            _in_thread(lambda: _end_late(lambda: self._over, self._restore))
        self._cancellation.cancel()
        if _received[0] == signal.SIGINT:
            self._notice(AGAIN)
