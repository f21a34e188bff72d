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
cancelled. What failed is tried again for a later client, but not while goals are solved that began before it failed.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from hashlib import sha256

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.solver.loop import All, Call, Loop, Slots, Task
from pybuild.runtime.solver.types import Cancellation, Input, Observer, Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Generic, TypeAlias, TypeVar

    from pybuild.runtime.solver.loop import Body
    from pybuild.runtime.solver.types import Delegate

    V = TypeVar("V")
    R = TypeVar("R")
    Elsewhere: TypeAlias = Callable[[V, str, Cancellation], "Callable[[], Sequence[R] | None] | None"]
else:
    from pybuild.runtime.solver.types import Generic

    V = R = None

AGAIN = 0.1
"""Seconds between two looks at whether another process waits."""


def combine_keys(op_key: str, inputs: Iterable[tuple[str, int]]) -> str:
    """The cache key of a vertex: its op's key with the keys and output numbers of its inputs."""
    text = "\n".join([op_key, *(f"{key} {index}" for key, index in inputs)])
    return "sha256:" + sha256(text.encode()).hexdigest()


class Flight(Generic[V, R]):
    """One vertex being solved. `ran` tells results made here from ones that were found; `span` is when it ran."""

    __slots__ = ("adopted", "cancellation", "clients", "key", "parts", "ran", "span", "task", "vertex")

    def __init__(self, vertex: V) -> None:
        self.vertex = vertex
        self.cancellation = Cancellation()
        self.clients: set[Client] = set()
        self.parts: list[Flight[V, R]] = []
        self.key: Task | None = None
        self.ran = False
        self.span = (0.0, 0.0)
        self.adopted: dict[int, R] = {}
        self.task: Task

    def check(self) -> None:
        """Raises Cancelled: a cancellation that came during a call is noticed here."""
        if self.cancellation.cancelled:
            raise Cancelled


class Client:
    """One call of `solve`, or one goal of several: waits, and can leave early. `ran`: one of its results was made."""

    __slots__ = ("error", "finished", "flights", "ran", "results", "task")

    def __init__(self) -> None:
        self.task: Task
        self.flights: set[Flight[object, object]] = set()
        self.finished = threading.Event()
        self.results: list[object] = []
        self.ran = False
        self.error: BaseException | None = None

    def seconds(self) -> float:
        """How long any of its flights ran: the length of the union of their spans."""
        total, reached = 0.0, 0.0
        for begin, end in sorted(flight.span for flight in self.flights):
            total += max(0.0, end - max(begin, reached))
            reached = max(reached, end)
        return total


class Solver(Generic[V, R]):
    """Solves edges. Thread-safe; results live as long as the solver. Close it when done."""

    def __init__(
        self,
        delegate: Delegate[V, R],
        *,
        observer: Observer[V] | None = None,
        max_parallelism: int | None = None,
        elsewhere: Elsewhere[V, R] | None = None,
    ) -> None:
        """`elsewhere` gives, for a key that has no record, what brings the results from another place if they are
        there; None from that is a miss."""
        self._delegate = delegate
        self._elsewhere = elsewhere
        self._observer = observer or Observer()
        self._loop = Loop()
        self._slots = Slots(self._loop, max_parallelism)
        self._flights: dict[str, Flight[V, R]] = {}
        self._keys: dict[str, Task] = {}
        self._anew: dict[str, bool] = {}
        self._lasting = 0
        """Solves of several goals that go on: what fails meanwhile stays failed for all of them."""
        self.outlasting = 0
        """Flights that go on for other processes alone."""

    def solve(self, edges: Sequence[Input[V]], cancellation: Cancellation | None = None) -> list[R]:
        """The results of `edges`. Raises the first failure, after all that only this call wanted has ended;
        Cancelled after `cancellation`."""
        client = Client()
        self._loop.post(lambda: self._join(client, edges))
        self._await([client], cancellation)
        if client.error is not None:
            raise client.error
        return client.results  # type: ignore[return-value]

    def solve_each(
        self, edges: Sequence[Input[V]], cancellation: Cancellation | None = None
    ) -> list[Outcome[R]]:
        """What came of each of `edges`. The failure of one cancels only what no other wants, and a vertex that
        failed is not tried again for another. Raises Cancelled after `cancellation`, all of them having ended."""
        clients = [Client() for _ in edges]

        def join() -> None:
            self._last(1)
            for client, edge in zip(clients, edges, strict=True):
                self._join(client, [edge])

        self._loop.post(join)
        try:
            self._await(clients, cancellation)
        finally:
            self._loop.post(lambda: self._last(-1))
        if cancellation is not None and cancellation.cancelled:
            raise Cancelled
        return [
            Outcome(None, one.error, False, one.seconds())
            if one.error is not None
            else Outcome(one.results[0], None, not one.ran, one.seconds())  # type: ignore[arg-type]
            for one in clients
        ]

    def _await(self, clients: Sequence[Client], cancellation: Cancellation | None) -> None:
        """Until all have finished. A cancellation, and an exception that comes to this thread, has them leave."""

        def leave() -> None:
            for client in clients:
                self._leave(client)

        forget = cancellation.on_cancel(leave) if cancellation else None
        try:
            for client in clients:
                while not client.finished.wait(3600):
                    pass
        except BaseException:
            leave()
            for client in clients:
                client.finished.wait()
            raise
        finally:
            if forget is not None:
                forget()

    def _last(self, change: int) -> None:
        """A solve of several goals begins or ends. What failed before is to be tried again."""
        if not self._lasting:
            self._flights = {name: one for name, one in self._flights.items() if one.task.error is None}
            self._keys = {name: task for name, task in self._keys.items() if task.error is None}
        self._lasting += change

    def _again(self, task: Task) -> bool:
        """Whether a task is to be tried again, as it failed."""
        return task.error is not None and (not self._lasting or isinstance(task.error, Cancelled))

    def keys(self) -> dict[str, str]:
        """The cache keys that are known so far, by the digests of their vertices."""
        known = list(self._keys.items())
        return {digest: task.value for digest, task in known if task.done and task.error is None}

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
                client.ran = any(flight.ran for flight in flights)
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
                if self._delegate.wanted(flight.vertex):  # type: ignore[arg-type]
                    self._loop.spawn(self._outlast(flight))  # type: ignore[arg-type]
                else:
                    self._give_up(flight)  # type: ignore[arg-type]
        return ended

    def _give_up(self, flight: Flight[V, R]) -> None:
        flight.cancellation.cancel()
        self._loop.throw(flight.task, Cancelled())

    def _outlast(self, flight: Flight[V, R]) -> Body:
        """See a flight through that another process waits for, as long as it does."""
        self.outlasting += 1
        while not flight.task.done and self._delegate.wanted(flight.vertex):
            yield Call(partial(time.sleep, AGAIN))
        self.outlasting -= 1
        if not flight.task.done:
            self._give_up(flight)

    # Flights

    def _flight(self, vertex: V) -> Flight[V, R]:
        digest = self._delegate.digest(vertex)
        flight = self._flights.get(digest)
        if flight is None or self._again(flight.task):
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
        found = self._delegate.lookup(flight.vertex, key)
        if found is None and self._elsewhere is not None:
            bring = self._elsewhere(flight.vertex, key, flight.cancellation)
            if bring is not None:
                found = yield Call(bring)
        return found

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
            begun = time.monotonic()
            try:
                return (yield Call(partial(delegate.run, vertex, inputs, stop)))
            finally:
                flight.span = begun, time.monotonic()
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
        if task is None or self._again(task):
            task = self._keys[digest] = self._loop.spawn(self._compute_key(vertex, cancellation))
        return task

    def _compute_key(self, vertex: V, cancellation: Cancellation) -> Body:
        edges = self._delegate.inputs(vertex)
        tasks = [self._key_task(edge.vertex, cancellation) for edge in edges]
        keys = yield All(tasks)
        call = partial(self._delegate.op_key, vertex, cancellation)
        own = call() if edges else (yield Call(call))
        return combine_keys(own, [(key, edge.index) for key, edge in zip(keys, edges, strict=True)])
