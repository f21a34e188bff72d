"""A small cooperative scheduler: tasks are generators, blocking calls run in worker threads.

A task yields what it waits for and is resumed with the outcome:

    Call(function)      the value, or the exception raised, of a blocking call in a worker thread
    All(tasks)          the values of other tasks, once all are done; the first failure at once
    slots (a `Slots`)   None, once one of a bounded number of slots is the task's; it must `release` it

Everything but the calls happens in one thread, so tasks need no locks; a chain of any length needs no stack.
"""

from __future__ import annotations

import threading
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import Any

    Body = Generator["Call | All | Slots", Any, Any]

_WORKER = "worker"
IDLE_SECONDS = 0.5
"""How long a worker thread waits for another call before it ends."""


class Call:
    """A blocking call for a worker thread."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self.function = function


class All:
    """Other tasks to wait for."""

    __slots__ = ("tasks",)

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks


class Slots:
    """A bounded number of slots, handed out first come, first served; `count` None sets no bound."""

    __slots__ = ("_free", "_loop", "_waiting")

    def __init__(self, loop: Loop, count: int | None) -> None:
        self._loop = loop
        self._free = float("inf") if count is None else float(count)
        self._waiting: deque[Task] = deque()

    def ask(self, task: Task) -> None:
        """Resume `task` once a slot is its own."""
        if self._free >= 1:
            self._free -= 1
            self._loop.resume(task)
        else:
            self._waiting.append(task)

    def release(self) -> None:
        """Give a slot back, to the next task that waits for it."""
        while self._waiting:
            task = self._waiting.popleft()
            # `throw` may have ended the wait since.
            if task.waiting_for is self:
                self._loop.resume(task)
                return
        self._free += 1


class Task:
    """A running generator. `done` once it has returned `value` or raised `error`; it waits for `missing` tasks."""

    __slots__ = ("body", "done", "error", "listeners", "missing", "value", "waiting_for")

    def __init__(self, body: Body) -> None:
        self.body = body
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.listeners: list[Callable[[], None]] = []
        self.waiting_for: object = None
        self.missing = 0


class Loop:
    """Runs tasks in a thread of its own. Other threads may call `post`, `waits` and `close` only."""

    def __init__(self) -> None:
        self._ready: deque[Callable[[], None]] = deque()
        self._calls: deque[tuple[Task, Call]] = deque()
        self._wake = threading.Condition()
        self._work = threading.Condition()
        self._idle = 0
        self._workers = 0
        self._waiting = 0
        self._lacking: RuntimeError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="solver", daemon=True)
        self._thread.start()

    def post(self, function: Callable[[], None]) -> None:
        """Run `function` in the loop's thread, soon."""
        with self._wake:
            self._ready.append(function)
            self._wake.notify()

    def close(self) -> None:
        """End the loop's thread and, as they fall idle, its workers. Unfinished tasks are dropped."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        with self._work:
            self._work.notify_all()
        self._thread.join()

    def spawn(self, body: Body) -> Task:
        """Start a task."""
        task = Task(body)
        # No wake-up, here and in `resume`: they run in the loop's thread, which looks at the queue before it waits.
        self._ready.append(lambda: self._step(task, None, None))
        return task

    def resume(self, task: Task, value: object = None) -> None:
        """Continue a task with the value it waits for."""
        task.waiting_for = self  # scheduled: neither `throw` nor a slot may resume it a second time
        self._ready.append(lambda: self._step(task, value, None))

    def throw(self, task: Task, error: BaseException) -> bool:
        """Raise `error` in a task that waits for tasks or a slot. Return False if it is done or in a call."""
        if task.done or not isinstance(task.waiting_for, All | Slots):
            return False
        task.waiting_for = self
        self._ready.append(lambda: self._step(task, None, error))
        return True

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._ready and not self._closed:
                    self._wake.wait()
                if self._closed:
                    return
            # Without the lock: a deque's appends and pops are atomic, and only this thread pops.
            while self._ready:
                self._ready.popleft()()

    def _step(self, task: Task, value: object, error: BaseException | None) -> None:
        task.waiting_for = None
        try:
            wanted = task.body.throw(error) if error is not None else task.body.send(value)
        except StopIteration as stop:
            self._finish(task, stop.value, None)
        except BaseException as raised:
            self._finish(task, None, raised)
        else:
            self._wait(task, wanted)

    def _wait(self, task: Task, wanted: Call | All | Slots) -> None:
        task.waiting_for = wanted
        if isinstance(wanted, Call):
            self._call(task, wanted)
        elif isinstance(wanted, Slots):
            wanted.ask(task)
        else:
            pending = [other for other in wanted.tasks if not other.done]
            task.missing = len(pending)
            failed = next((other for other in wanted.tasks if other.error is not None), None)
            if failed is not None or not pending:
                self._check(task, wanted)
            # A listener may outlive this wait, after a failure or a `throw`: `_arrived` checks that it still lasts.
            for other in pending:
                other.listeners.append(lambda: self._arrived(task, wanted))

    def _arrived(self, task: Task, wanted: All) -> None:
        if task.waiting_for is wanted:
            task.missing -= 1
            self._check(task, wanted)

    def _check(self, task: Task, wanted: All) -> None:
        failed = next((other.error for other in wanted.tasks if other.error is not None), None)
        if failed is not None:
            self.throw(task, failed)
        elif task.missing == 0:
            self.resume(task, [other.value for other in wanted.tasks])

    def _finish(self, task: Task, value: object, error: BaseException | None) -> None:
        task.done, task.value, task.error = True, value, error
        listeners, task.listeners = task.listeners, []
        for listener in listeners:
            listener()

    def _call(self, task: Task, call: Call) -> None:
        with self._work:
            self._calls.append((task, call))
            # A thread that was notified counts as idle until it runs, so there must be one for each queued call.
            if self._idle >= len(self._calls):
                self._work.notify()
                return
            self._workers += 1
        try:
            threading.Thread(target=self._worker, name=_WORKER, daemon=True).start()
        except RuntimeError as error:
            # Memory or processes are limited. The workers that there are do the call, unless there are none, or all
            # wait for what no other would do.
            with self._work:
                self._workers -= 1
                self._lacking = error
                left = self._stranded()
            for task, error in left:
                self._ready.append(lambda task=task, error=error: self._step(task, None, error))  # type: ignore[misc]

    def waits(self, change: int) -> None:
        """Note that a call of a worker begins (1) or ends (-1) to wait for other tasks of this loop."""
        if threading.current_thread().name == _WORKER:
            with self._work:
                self._waiting += change
                left = self._stranded()
            for task, error in left:
                self.post(lambda task=task, error=error: self._step(task, None, error))  # type: ignore[misc]

    def _stranded(self) -> list[tuple[Task, RuntimeError]]:
        """Take the calls that no worker will ever do, since there can be no more workers, and return their tasks."""
        if self._lacking is None or self._workers > self._waiting:
            return []
        stranded = [(task, self._lacking) for task, _ in self._calls]
        self._calls.clear()
        return stranded

    def _worker(self) -> None:
        while True:
            with self._work:
                # Counted as idle until a call is taken, so that `_call` starts a thread only if none is free.
                self._idle += 1
                if not self._calls and not self._closed:
                    self._work.wait_for(lambda: self._calls or self._closed, IDLE_SECONDS)
                self._idle -= 1
                if not self._calls:
                    self._workers -= 1
                    return
                task, call = self._calls.popleft()
            value, error = None, None
            try:
                value = call.function()
            except BaseException as raised:
                error = raised
            self.post(lambda task=task, value=value, error=error: self._step(task, value, error))  # type: ignore[misc]
