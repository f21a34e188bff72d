"""Ctrl-C and SIGTERM: the first asks the build to end, the second ends the process."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from pybuild.runtime.solver.types import Cancellation

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = "cancelling; press Ctrl-C again to end at once"


@contextmanager
def interrupts(
    cancellation: Cancellation, notice: Callable[[str], None], restore: Callable[[], None]
) -> Iterator[None]:
    """Within, a signal cancels; a second one calls `restore` and ends the process with code 130.

    The handler runs in the main thread at any point, perhaps while that holds a lock: it takes none, and
    leaves the callbacks to a thread of their own. What the dead process was about is swept by the next one.
    """
    from _thread import start_new_thread

    def cancel(interactive: bool) -> None:
        cancellation.cancel()
        if interactive:
            notice(AGAIN)

    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            restore()
            os._exit(130)
        asked = True
        start_new_thread(cancel, (number == signal.SIGINT,))

    before = [signal.signal(number, handle) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
