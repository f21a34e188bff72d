"""What the solver knows of its domain: opaque vertices and results, and a delegate that answers for them.

Terms (BuildKit's): a *vertex* is an op with inputs; an *edge* is one output of a vertex; a vertex's *cache
key* is its identity across solves, its *digest* the identity within one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Generic, Protocol, TypeVar

    V = TypeVar("V")
    R = TypeVar("R")
else:

    class _Bare:
        def __class_getitem__(cls, _: object) -> type:
            return cls

    Protocol = Generic = _Bare
    V = R = None


class Cancellation:
    """A flag that can be awaited: set once, by Ctrl-C, a failure elsewhere, or the last client leaving."""

    __slots__ = ("_callbacks", "_lock", "cancelled")

    def __init__(self) -> None:
        from threading import Lock

        self.cancelled = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = Lock()

    def __call__(self) -> bool:
        return self.cancelled

    def cancel(self) -> None:
        """Idempotent. Runs the callbacks in this thread."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once on cancellation (at once if it has happened); returns a function that takes
        the callback back."""
        with self._lock:
            if not self.cancelled:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)


class Input(Generic[V]):
    """An edge as the delegate reports it."""

    __slots__ = ("index", "vertex")

    def __init__(self, vertex: V, index: int) -> None:
        self.vertex = vertex
        self.index = index


class Outcome(Generic[R]):
    """What came of one goal of several. `result` is None where there is an `error`. `cached`: the goal's own result
    was found, not made. `seconds` is how long something ran for it, what it shares with others included and waiting
    left out."""

    __slots__ = ("cached", "error", "result", "seconds")

    def __init__(self, result: R | None, error: BaseException | None, cached: bool, seconds: float) -> None:
        self.result = result
        self.error = error
        self.cached = cached
        self.seconds = seconds


class Delegate(Protocol[V, R]):
    """Everything the solver asks. Methods may be called from several threads at once.

    A result R stands for one output of a vertex. Keys and digests are opaque strings.
    """

    def digest(self, vertex: V) -> str:
        """Identity of the vertex within the solve. Cheap, pure."""

    def inputs(self, vertex: V) -> Sequence[Input[V]]:
        """Cheap, pure."""

    def recorded(self, vertex: V) -> bool:
        """False for a vertex without inputs whose result is a view of something outside (a local directory):
        it is run at each solve, never looked up or saved; only its users' keys ask its `op_key`."""

    def ignore_cache(self, vertex: V) -> bool:
        """True: never looked up (`--no-cache`); the result takes over the key."""

    def limited(self, vertex: V) -> bool:
        """Whether a run of the vertex counts against the solver's parallelism."""

    def known(self, vertex: V) -> bool:
        """Whether any record of this op exists. False lets the solver skip each lookup and digest for it, so
        it must not cost what `op_key` may cost."""

    def op_key(self, vertex: V, cancellation: Cancellation) -> str:
        """Key of the op without its inputs, semantics version included. For a source: what it resolves to
        (manifest digest, content digest of the filtered tree), which may need I/O."""

    def lookup(self, vertex: V, key: str) -> Sequence[R] | None:
        """The usable results recorded under a cache key, leased for this process. A short database read."""

    def find(
        self, vertex: V, key: str, inputs: Sequence[R], cancellation: Cancellation
    ) -> Sequence[R] | None:
        """The second lookup: the results of an earlier run of this op whose inputs had the same content in
        all that the op reads of them. A hit is recorded under `key` too."""

    def adopt(self, result: R, cancellation: Cancellation) -> R:
        """The earliest result with the same content as `result`, or `result`. Asked for the input of a vertex
        that has records and missed: an unchanged output stops the rebuild there (early cutoff)."""

    def run(self, vertex: V, inputs: Sequence[R], cancellation: Cancellation) -> Sequence[R]:
        """Execute; one result an output. Raises UserError on failure, Cancelled when cancelled."""

    def save(self, vertex: V, key: str, inputs: Sequence[R], results: Sequence[R]) -> None:
        """Record `results` under `key`, replacing what was there. One transaction."""

    def job(self, vertex: V, key: str | None, cancellation: Cancellation) -> AbstractContextManager[object]:
        """Single flight across processes, held around a last lookup and `run`. `key` is None while the op has
        no records; the delegate then derives a name from the definition. Entering waits, cancellably."""

    def wanted(self, vertex: V) -> bool:
        """Whether another process waits for the vertex's job, so that it is to go on though nobody in this one
        wants it any more. Asked again while it does. Quick."""


class Observer(Generic[V]):
    """Hears what happens to vertices, from any thread. Every method does nothing here."""

    def started(self, vertex: V) -> None:
        """The vertex was not found and runs."""

    def completed(self, vertex: V, cached: bool, error: BaseException | None) -> None:
        """Once for every vertex whose result was wanted; without `started` when it was cached."""

    def missed(self, vertex: V, key: str) -> None:
        """A vertex with earlier records of its op was found under no key."""
