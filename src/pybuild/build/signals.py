"""Ctrl-C and SIGTERM: the first cancels the build (`Cancellation` of `runtime/solver/types.py`), the second ends the
process.

The kernel may deliver a process's signal to any of its threads, and Python runs handlers in the main thread alone: if
another thread gets it while the main one waits, the handler waits too. Once there are threads, one of them therefore
watches the descriptor that Python's own part of the handler writes to.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pybuild.runtime.solver.types import Cancellation

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = "cancelling; press Ctrl-C again to end at once"


class Interrupts:
    """A context manager in which a signal cancels the build; a second one calls `restore` and ends the
    process with code 130. To be entered in the main thread.

    The handler runs at any point, perhaps while its thread holds a lock: it takes none, and leaves the
    callbacks to a thread of their own. What a process ended that way leaves behind, the next one removes.
    """

    __slots__ = ("_before", "_cancellation", "_cancelled", "_notice", "_pipe", "_restore")

    def __init__(
        self, cancellation: Cancellation, notice: Callable[[str], None], restore: Callable[[], None]
    ) -> None:
        self._cancellation = cancellation
        self._notice = notice
        self._restore = restore
        self._cancelled = False
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Interrupts:
        self._before = [signal.signal(number, self._handle) for number in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
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
        from _thread import start_new_thread

        if self._cancelled:
            self._restore()
            # Not sys.exit: this may be any thread, and others may never end.
            os._exit(130)
        self._cancelled = True
        start_new_thread(self._cancel, (number == signal.SIGINT,))

    def _cancel(self, interactive: bool) -> None:
        self._cancellation.cancel()
        if interactive:
            self._notice(AGAIN)
