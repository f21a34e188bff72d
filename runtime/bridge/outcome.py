"""The outcome of a frontend, for the threads that wait for it."""

from __future__ import annotations

import threading

from pybuild.lang.diagnostics import Cancelled, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.gateway import Result
    from pybuild.runtime.solver.types import Cancellation


class Outcome:
    """A result or an error, set once. Thread-safe; any number may wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: Result | UserError | None = None
        self._callbacks: list[Callable[[], None]] = []

    @property
    def value(self) -> Result | UserError | None:
        """The result or error; None until there is one."""
        return self._value

    def set(self, value: Result | UserError) -> bool:
        """Set the value. Returns False if there was one already. Runs the callbacks in this thread."""
        with self._changed:
            if self._value is not None:
                return False
            self._value = value
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        # Outside of the lock: a callback may look at the value.
        for callback in callbacks:
            callback()
        return True

    def on_set(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once there is a value, at once if there is one. Returns a function that removes
        it."""
        with self._changed:
            if self._value is None:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._changed:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def wait(self, cancellation: Cancellation) -> Result:
        """Wait for the result. Raises the error in its place, Cancelled."""
        forget = cancellation.on_cancel(self._wake)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._value is not None or cancellation.cancelled)
        finally:
            forget()
        if self._value is None:
            raise Cancelled
        if isinstance(self._value, UserError):
            raise self._value
        return self._value

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
