"""The solver's view of its domain: opaque vertices and results, and a delegate that answers for them.

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
    """A flag that is set once: by Ctrl-C, by a failure elsewhere, or when the last client leaves."""

    __slots__ = ("_callbacks", "_lock", "cancelled")

    def __init__(self) -> None:
        from threading import Lock

        self.cancelled = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = Lock()

    def __call__(self) -> bool:
        return self.cancelled

    def cancel(self) -> None:
        """Set the flag and run the callbacks in this thread. Idempotent."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        # Without the lock, which is not reentrant: a callback may remove callbacks or add some.
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once on cancellation, at once if that has happened. Returns a function that removes the
        callback."""
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
    """An edge: a vertex and the index of one of its outputs."""

    __slots__ = ("index", "vertex")

    def __init__(self, vertex: V, index: int) -> None:
        self.vertex = vertex
        self.index = index


class Outcome(Generic[R]):
    """The outcome of one goal of several. `result` is None if there is an `error`; `cached` tells that it came from
    a record. `seconds` is how long vertices ran for the goal: shared ones count, waiting does not."""

    __slots__ = ("cached", "error", "result", "seconds")

    def __init__(self, result: R | None, error: BaseException | None, cached: bool, seconds: float) -> None:
        self.result = result
        self.error = error
        self.cached = cached
        self.seconds = seconds


class Delegate(Protocol[V, R]):
    """The solver's questions about its domain. Methods may be called from several threads at once.

    A result R stands for one output of a vertex. Keys and digests are opaque strings.
    """

    def digest(self, vertex: V) -> str:
        """Identity of the vertex within the solve. Cheap, pure."""

    def inputs(self, vertex: V) -> Sequence[Input[V]]:
        """The edges a vertex depends on. Cheap, pure."""

    def recorded(self, vertex: V) -> bool:
        """False for a vertex without inputs whose result is a view of something outside (a local directory):
        it runs at each solve and is never looked up or saved; its `op_key` serves the keys of its users only."""

    def ignore_cache(self, vertex: V) -> bool:
        """True for a vertex that is never looked up (`--no-cache`); its result replaces what its key has."""

    def limited(self, vertex: V) -> bool:
        """True if a run of the vertex counts against the solver's parallelism."""

    def known(self, vertex: V) -> bool:
        """True if the op may have a record. False lets the solver skip every lookup and digest for it, so this must
        not do the I/O that `op_key` may do."""

    def op_key(self, vertex: V, cancellation: Cancellation) -> str:
        """Key of the op without its inputs, semantics version included. For a source: what it resolves to
        (manifest digest, content digest of the filtered tree), which may need I/O."""

    def lookup(self, vertex: V, key: str) -> Sequence[R] | None:
        """The usable results recorded under a cache key, leased for this process. A short database read."""

    def find(
        self, vertex: V, key: str, inputs: Sequence[R], cancellation: Cancellation
    ) -> Sequence[R] | None:
        """The second lookup: the results of an earlier run of this op whose inputs had the same content in
        everything the op reads of them. A hit is recorded under `key` too."""

    def adopt(self, result: R, cancellation: Cancellation) -> R:
        """The earliest result with the same content as `result`, or `result` itself. Called for the inputs of a
        vertex that has records but none under its key: an unchanged output ends the rebuild (early cutoff)."""

    def run(self, vertex: V, inputs: Sequence[R], cancellation: Cancellation) -> Sequence[R]:
        """Execute the op; returns a result for each output. Raises UserError on failure, Cancelled."""

    def save(self, vertex: V, key: str, inputs: Sequence[R], results: Sequence[R]) -> None:
        """Record `results` under `key`, replacing an earlier record. One transaction."""

    def job(self, vertex: V, key: str | None, cancellation: Cancellation) -> AbstractContextManager[object]:
        """A lock among processes, held around a last lookup and `run`, so that only one runs the vertex. `key` is
        None while the op has no records; the delegate then derives the lock's name from the definition. Entering
        waits, cancellably."""

    def wanted(self, vertex: V) -> bool:
        """True while another process waits for the vertex's job: the run then goes on though no client of this
        process wants it. Polled meanwhile, so it must be quick."""


class Observer(Generic[V]):
    """Receives events of vertices, from any thread. Its methods do nothing."""

    def started(self, vertex: V) -> None:
        """The vertex has no usable record and runs."""

    def completed(self, vertex: V, cached: bool, error: BaseException | None) -> None:
        """Once for every vertex whose result was wanted; without `started` when it was cached."""

    def missed(self, vertex: V, key: str) -> None:
        """Neither the key nor the inputs' content led to a record, though the op has some."""
