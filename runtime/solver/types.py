"""What the solver knows of its domain: opaque vertices and results, and a delegate that answers for them.

Terms (BuildKit's): a *vertex* is an op with inputs; an *edge* is one output of a vertex; a vertex's *cache key*
is its identity across solves, its *digest* the identity within one.
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


class Delegate(Protocol[V, R]):
    """Everything the solver asks. Methods may be called from several threads at once, except as noted.

    A result R stands for one output of a vertex. All keys and digests are opaque strings.
    """

    def digest(self, vertex: V) -> str:
        """Identity of the vertex within the solve. Cheap, pure."""

    def inputs(self, vertex: V) -> Sequence[Input[V]]:
        """Cheap, pure."""

    def ignore_cache(self, vertex: V) -> bool:
        """True: never looked up (`--no-cache`), waits for no other process; its result takes over the key."""

    def op_key(self, vertex: V, cancellation: Cancellation) -> str:
        """Key of the op without its inputs, semantics version included. For a source this is what it resolves
        to (manifest digest, commit, content digest of the filtered tree) and may do I/O; it is asked lazily."""

    def known(self, vertex: V) -> bool:
        """Whether any record exists whose op could be this vertex's. False lets the solver skip every lookup
        and digest for it. Must not do the I/O that `op_key` may do; a source answers True."""

    def lookup(self, key: str) -> Sequence[R] | None:
        """The usable results recorded under a cache key (all outputs), leased for this process; else None."""

    def content_key(self, vertex: V, index: int, result: R, cancellation: Cancellation) -> str:
        """Digest of what the op reads of input number `index` (just the selected paths, or the identity of the
        whole state). May replace nothing and write nothing but its own caches."""

    def adopt(self, result: R) -> R:
        """The earliest result with the same content identity as `result`, or `result` itself. Asked only where
        a record of a consumer could match (early cutoff)."""

    def run(self, vertex: V, inputs: Sequence[R], cancellation: Cancellation) -> Sequence[R]:
        """Execute; one result an output. Raises UserError on failure, Cancelled when cancelled."""

    def save(self, vertex: V, keys: Sequence[str], results: Sequence[R]) -> None:
        """Record `results` under every one of `keys`, replacing what was there. One transaction."""

    def job(self, vertex: V, key: str | None, cancellation: Cancellation) -> AbstractContextManager[None]:
        """Single flight across processes: held around the second lookup and `run`. `key` is the cache key when
        known, else the delegate derives a name from the definition. Waiting is cancellable (Cancelled)."""


class Observer(Protocol[V]):
    """Told what happens to vertices; called from any thread. The default does nothing."""

    def started(self, vertex: V) -> None:
        """Work on the vertex began (lookup misses, it will run)."""

    def completed(self, vertex: V, cached: bool, error: BaseException | None) -> None:
        """Exactly once for each vertex that was needed; without `started` when it was cached."""

    def missed(self, vertex: V, components: dict[str, str]) -> None:
        """A vertex with earlier records of its op missed; the key's components by name."""
