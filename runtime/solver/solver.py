"""The solver: brings about the results of edges with as little work as their keys allow.

For a wanted vertex, in this order:

 1. Its cache key is digest(op key, keys of the inputs). A record under it is the result; nothing beneath is
    loaded. An op without any record skips this: its key is not needed before it is saved. So does one above a
    vertex that must run anew: its key would name what that vertex made before.
 2. Its inputs are solved, side by side.
 3. An input that had to run is exchanged for an earlier result of the same content, and the op is looked up
    by the content of what it reads (early cutoff, and changes outside the paths that a copy selects).
 4. With the job's lock held among processes it is looked up once more, then run, then saved.

A *flight* is one vertex being solved; it is shared by all clients that want it and ends when it is done, when
it fails, or when its last client leaves. A client that fails leaves its flights; what nobody else wants is
cancelled.
"""

from __future__ import annotations

import threading
from functools import partial
from hashlib import sha256

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.solver.loop import All, Call, Loop, Slots, Task
from pybuild.runtime.solver.types import Cancellation, Input, Observer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Generic, TypeVar

    from pybuild.runtime.solver.loop import Body
    from pybuild.runtime.solver.types import Delegate

    V = TypeVar("V")
    R = TypeVar("R")
else:
    from pybuild.runtime.solver.types import Generic

    V = R = None


def combine_keys(op_key: str, inputs: Iterable[tuple[str, int]]) -> str:
    """The cache key of a vertex: its op's key with the keys and output numbers of its inputs."""
    text = "\n".join([op_key, *(f"{key} {index}" for key, index in inputs)])
    return "sha256:" + sha256(text.encode()).hexdigest()


class Flight(Generic[V, R]):
    """One vertex being solved. `ran` tells results made here from ones that were found."""

    __slots__ = ("adopted", "cancellation", "clients", "key", "parts", "ran", "task", "vertex")

    def __init__(self, vertex: V) -> None:
        self.vertex = vertex
        self.cancellation = Cancellation()
        self.clients: set[Client] = set()
        self.parts: list[Flight[V, R]] = []
        self.key: Task | None = None
        self.ran = False
        self.adopted: dict[int, R] = {}
        self.task: Task

    def check(self) -> None:
        """Raises Cancelled: a cancellation that came during a call is noticed here."""
        if self.cancellation.cancelled:
            raise Cancelled


class Client:
    """One call of `solve`: waits, and can leave early."""

    __slots__ = ("error", "finished", "flights", "results", "task")

    def __init__(self) -> None:
        self.task: Task
        self.flights: set[Flight[object, object]] = set()
        self.finished = threading.Event()
        self.results: list[object] = []
        self.error: BaseException | None = None


class Solver(Generic[V, R]):
    """Solves edges. Thread-safe; results live as long as the solver. Close it when done."""

    def __init__(
        self,
        delegate: Delegate[V, R],
        *,
        observer: Observer[V] | None = None,
        max_parallelism: int | None = None,
    ) -> None:
        self._delegate = delegate
        self._observer = observer or Observer()
        self._loop = Loop()
        self._slots = Slots(self._loop, max_parallelism)
        self._flights: dict[str, Flight[V, R]] = {}
        self._keys: dict[str, Task] = {}
        self._anew: dict[str, bool] = {}

    def solve(self, edges: Sequence[Input[V]], cancellation: Cancellation | None = None) -> list[R]:
        """The results of `edges`. Raises the first failure, after all that only this call wanted has ended;
        Cancelled after `cancellation`."""
        client = Client()
        self._loop.post(lambda: self._join(client, edges))
        forget = cancellation.on_cancel(lambda: self._leave(client)) if cancellation else None
        try:
            while not client.finished.wait(3600):
                pass
        except BaseException:
            self._leave(client)
            client.finished.wait()
            raise
        finally:
            if forget is not None:
                forget()
        if client.error is not None:
            raise client.error
        return client.results  # type: ignore[return-value]

    def close(self) -> None:
        self._loop.close()

    # Clients

    def _join(self, client: Client, edges: Sequence[Input[V]]) -> None:
        client.task = self._loop.spawn(self._serve(client, edges))

    def _serve(self, client: Client, edges: Sequence[Input[V]]) -> Body:
        try:
            flights = [self._flight(edge.vertex) for edge in edges]
            for flight in flights:
                self._want(flight, client)
            if client.error is None:
                yield All([flight.task for flight in flights])
                client.results = [
                    flight.adopted.get(edge.index, flight.task.value[edge.index])
                    for edge, flight in zip(edges, flights, strict=True)
                ]
        except BaseException as error:
            client.error = client.error or error
        ended = self._abandon(client)
        yield All([self._loop.spawn(self._settled(flight)) for flight in ended])
        client.finished.set()

    def _settled(self, flight: Flight[V, R]) -> Body:
        """Ends when the flight has, whatever its outcome."""
        try:
            yield All([flight.task])
        except BaseException:
            return

    def _leave(self, client: Client) -> None:
        """From any thread: the client gives up; its unshared work is cancelled."""

        def leave() -> None:
            if not client.finished.is_set() and client.error is None:
                client.error = Cancelled()
                self._loop.throw(client.task, client.error)

        self._loop.post(leave)

    def _abandon(self, client: Client) -> list[Flight[V, R]]:
        """Take the client off its flights; cancel and return those that nobody wants any more."""
        ended: list[Flight[V, R]] = []
        for flight in client.flights:
            flight.clients.discard(client)
            if not flight.clients and not flight.task.done:
                ended.append(flight)  # type: ignore[arg-type]
                digest = self._delegate.digest(flight.vertex)  # type: ignore[arg-type]
                if self._flights.get(digest) is flight:
                    del self._flights[digest]
                flight.cancellation.cancel()
                self._loop.throw(flight.task, Cancelled())
        return ended

    # Flights

    def _flight(self, vertex: V) -> Flight[V, R]:
        digest = self._delegate.digest(vertex)
        flight = self._flights.get(digest)
        if flight is None or flight.task.error is not None:
            flight = self._flights[digest] = Flight(vertex)
            flight.task = self._loop.spawn(self._fly(flight))
        return flight

    def _want(self, flight: Flight[V, R], client: Client) -> None:
        stack = [flight]
        while stack:
            wanted = stack.pop()
            if client not in wanted.clients:
                wanted.clients.add(client)
                client.flights.add(wanted)  # type: ignore[arg-type]
                stack.extend(wanted.parts)

    def _fly(self, flight: Flight[V, R]) -> Body:
        error: BaseException | None = None
        try:
            results = yield from self._bring(flight)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._observer.completed(flight.vertex, error is None and not flight.ran, error)
        return results

    def _bring(self, flight: Flight[V, R]) -> Body:
        """The plan at the top of this module."""
        vertex, delegate, stop = flight.vertex, self._delegate, flight.cancellation
        if not delegate.recorded(vertex):
            return (yield from self._run(flight, []))
        lookup = not delegate.ignore_cache(vertex)
        by_key = lookup and not self._made_anew(vertex)
        known = lookup and delegate.known(vertex)
        if known and by_key and (found := (yield from self._lookup(flight))) is not None:
            return found
        inputs = yield from self._inputs(flight, adopt=known)
        key: str | None = (yield from self._key(flight)) if known else None
        if key is not None:
            if (found := (yield Call(partial(delegate.find, vertex, key, inputs, stop)))) is not None:
                return found
            self._observer.missed(vertex, key)
        job = delegate.job(vertex, key, stop)
        yield Call(job.__enter__)
        try:
            if by_key and delegate.known(vertex) and (found := (yield from self._lookup(flight))) is not None:
                return found
            results = yield from self._run(flight, inputs)
            key = yield from self._key(flight)
            yield Call(partial(delegate.save, vertex, key, inputs, results))
            return results
        finally:
            job.__exit__(None, None, None)

    def _lookup(self, flight: Flight[V, R]) -> Body:
        key = yield from self._key(flight)
        return self._delegate.lookup(flight.vertex, key)

    def _inputs(self, flight: Flight[V, R], *, adopt: bool) -> Body:
        flight.check()
        edges = self._delegate.inputs(flight.vertex)
        flight.parts = [self._flight(edge.vertex) for edge in edges]
        for part in flight.parts:
            for client in tuple(flight.clients):
                self._want(part, client)
        yield All([part.task for part in flight.parts])
        results: list[R] = []
        for edge, part in zip(edges, flight.parts, strict=True):
            if adopt and part.ran and edge.index not in part.adopted:
                result = part.task.value[edge.index]
                part.adopted[edge.index] = yield Call(
                    partial(self._delegate.adopt, result, flight.cancellation)
                )
            results.append(part.adopted.get(edge.index, part.task.value[edge.index]))
        return results

    def _run(self, flight: Flight[V, R], inputs: Sequence[R]) -> Body:
        vertex, delegate, stop = flight.vertex, self._delegate, flight.cancellation
        limited = delegate.limited(vertex)
        if limited:
            yield self._slots
        try:
            flight.check()
            flight.ran = True
            self._observer.started(vertex)
            return (yield Call(partial(delegate.run, vertex, inputs, stop)))
        finally:
            if limited:
                self._slots.release()

    def _made_anew(self, vertex: V) -> bool:
        """Whether something beneath must be run whatever records say: a key tells nothing of its outcome then,
        and only what the vertex reads of its inputs can be looked up. No recursion: graphs are deep."""
        delegate, known = self._delegate, self._anew
        stack = [vertex]
        while stack:
            top = stack[-1]
            digest = delegate.digest(top)
            if digest not in known:
                parts = [edge.vertex for edge in delegate.inputs(top)]
                pending = [part for part in parts if delegate.digest(part) not in known]
                if pending:
                    stack.extend(pending)
                    continue
                known[digest] = any(
                    delegate.ignore_cache(one) or known[delegate.digest(one)] for one in parts
                )
            stack.pop()
        return known[delegate.digest(vertex)]

    # Keys

    def _key(self, flight: Flight[V, R]) -> Body:
        while True:
            try:
                (key,) = yield All([self._key_task(flight.vertex, flight.cancellation)])
                return key
            except Cancelled:
                flight.check()  # else it was another flight, for which the key was being computed

    def _key_task(self, vertex: V, cancellation: Cancellation) -> Task:
        digest = self._delegate.digest(vertex)
        task = self._keys.get(digest)
        if task is None or task.error is not None:
            task = self._keys[digest] = self._loop.spawn(self._compute_key(vertex, cancellation))
        return task

    def _compute_key(self, vertex: V, cancellation: Cancellation) -> Body:
        edges = self._delegate.inputs(vertex)
        tasks = [self._key_task(edge.vertex, cancellation) for edge in edges]
        keys = yield All(tasks)
        call = partial(self._delegate.op_key, vertex, cancellation)
        own = call() if edges else (yield Call(call))
        return combine_keys(own, [(key, edge.index) for key, edge in zip(keys, edges, strict=True)])
