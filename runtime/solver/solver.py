"""The solver: produces the results of edges with as little work as their cache keys allow.

Each vertex goes through these steps:

 1. Its cache key is digest(op key, keys of the inputs). A record under the key is the result, and nothing beneath
    the vertex is loaded. An op without any record skips this step, as its key is not needed before it is saved. So
    does a vertex above one that ignores the cache: the key would name the result of an earlier run.
 2. Its inputs are solved, side by side.
 3. An input that had to run is exchanged for an earlier result of the same content, and the op is looked up by the
    content it reads (early cutoff, and changes outside the paths that a copy selects).
 4. Under a lock that all processes share, it is looked up once more, then run, then saved.

A *vertex solve* is one vertex going through these steps. All clients that want the vertex share it; it ends with its
result, with a failure, or when its last client leaves. A client that fails leaves all its vertex solves, and those
without a client are cancelled. A failed vertex is tried again for a later client, but not while goals are solved that
began before the failure.
"""

from __future__ import annotations

import time
from functools import partial
from hashlib import sha256

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.solver.loop import All, Call, Loop, Slots, Task
from pybuild.runtime.solver.types import Cancellation, Input, Observer, Outcome
from pybuild.runtime.solver.vertexsolve import Client, VertexSolve

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
"""Seconds between two checks whether another process still waits for a vertex."""


def combine_keys(op_key: str, inputs: Iterable[tuple[str, int]]) -> str:
    """Return the cache key of a vertex: the digest of its op's key and its inputs' keys and output indexes."""
    text = "\n".join([op_key, *(f"{key} {index}" for key, index in inputs)])
    return "sha256:" + sha256(text.encode()).hexdigest()


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
        """`elsewhere` looks for results outside of the store, under a key without a record: it returns None, or a
        function that fetches them. None from that function is a miss."""
        self._delegate = delegate
        self._elsewhere = elsewhere
        self._observer = observer or Observer()
        self._loop = Loop()
        self._slots = Slots(self._loop, max_parallelism)
        self._solves: dict[str, VertexSolve[V, R]] = {}
        self._keys: dict[str, Task] = {}
        self._above: dict[str, bool] = {}
        self._lasting = 0
        """Number of `solve_each` calls that go on: a failure stays one for all of their goals."""
        self.outlasting = 0
        """Number of vertex solves that go on only because other processes wait for them."""

    def solve(self, edges: Sequence[Input[V]], cancellation: Cancellation | None = None) -> list[R]:
        """Return the results of `edges`, in their order. Raises the first failure once every vertex that only this
        call wanted has ended; Cancelled after `cancellation`."""
        client = Client()
        self._loop.post(lambda: self._join(client, edges))
        self._loop.waits(1)
        try:
            self._await([client], cancellation)
        finally:
            self._loop.waits(-1)
        if client.error is not None:
            raise client.error
        return client.results  # type: ignore[return-value]

    def solve_each(
        self, edges: Sequence[Input[V]], cancellation: Cancellation | None = None
    ) -> list[Outcome[R]]:
        """Return an outcome for each of `edges`. A failure cancels only vertices that no other edge wants, and a
        failed vertex is not tried again for another edge. Raises Cancelled after `cancellation`, once all ended."""
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
            Outcome(None, client.error, False, client.seconds())
            if client.error is not None
            else Outcome(client.results[0], None, not client.ran, client.seconds())  # type: ignore[arg-type]
            for client in clients
        ]

    def _await(self, clients: Sequence[Client], cancellation: Cancellation | None) -> None:
        """Wait until all clients have finished. They leave on a cancellation, or on an exception in this thread."""

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
        """Count a `solve_each` that begins (1) or ends (-1). With the first, earlier failures may be tried again."""
        if not self._lasting:
            self._solves = {
                digest: solve for digest, solve in self._solves.items() if solve.task.error is None
            }
            self._keys = {digest: task for digest, task in self._keys.items() if task.error is None}
        self._lasting += change

    def _again(self, task: Task) -> bool:
        """Report whether a task failed in a way that a later client may try again."""
        return task.error is not None and (not self._lasting or isinstance(task.error, Cancelled))

    def keys(self) -> dict[str, str]:
        """Return the cache keys computed so far, by vertex digest."""
        # `list` copies in one step of the interpreter: the loop's thread may be adding keys.
        known = list(self._keys.items())
        return {digest: task.value for digest, task in known if task.done and task.error is None}

    def close(self) -> None:
        self._loop.close()

    # Clients

    def _join(self, client: Client, edges: Sequence[Input[V]]) -> None:
        client.task = self._loop.spawn(self._serve(client, edges))

    def _serve(self, client: Client, edges: Sequence[Input[V]]) -> Body:
        try:
            solves = [self._solve_of(edge.vertex) for edge in edges]
            for solve in solves:
                self._want(solve, client)
            if client.error is None:
                yield All([solve.task for solve in solves])
                client.results = [
                    solve.adopted.get(edge.index, solve.task.value[edge.index])
                    for edge, solve in zip(edges, solves, strict=True)
                ]
                client.ran = any(solve.ran for solve in solves)
        except BaseException as error:
            # `_leave` has set the error already where it made this task raise.
            client.error = client.error or error
        ended = self._abandon(client)
        yield All([self._loop.spawn(self._settled(solve)) for solve in ended])
        client.finished.set()

    def _settled(self, solve: VertexSolve[V, R]) -> Body:
        """Wait until a vertex solve has ended, whatever its outcome."""
        try:
            yield All([solve.task])
        except BaseException:
            return

    def _leave(self, client: Client) -> None:
        """Make a client give up, and cancel the work that it shares with no other. Call from any thread."""

        def leave() -> None:
            if not client.finished.is_set() and client.error is None:
                client.error = Cancelled()
                self._loop.throw(client.task, client.error)

        self._loop.post(leave)

    def _abandon(self, client: Client) -> list[VertexSolve[V, R]]:
        """Take a client off its vertex solves; cancel and return those without a client."""
        ended: list[VertexSolve[V, R]] = []
        for solve in client.solves:
            solve.clients.discard(client)
            if not solve.clients and not solve.task.done:
                ended.append(solve)  # type: ignore[arg-type]
                digest = self._delegate.digest(solve.vertex)  # type: ignore[arg-type]
                # Forgotten first: a later client must not join a solve that is about to be cancelled.
                if self._solves.get(digest) is solve:
                    del self._solves[digest]
                if self._delegate.wanted(solve.vertex):  # type: ignore[arg-type]
                    self._loop.spawn(self._outlast(solve))  # type: ignore[arg-type]
                else:
                    self._give_up(solve)  # type: ignore[arg-type]
        return ended

    def _give_up(self, solve: VertexSolve[V, R]) -> None:
        solve.cancellation.cancel()
        self._loop.throw(solve.task, Cancelled())

    def _outlast(self, solve: VertexSolve[V, R]) -> Body:
        """Keep a vertex solve going for as long as another process waits for its result."""
        self.outlasting += 1
        while not solve.task.done and self._delegate.wanted(solve.vertex):
            yield Call(partial(time.sleep, AGAIN))
        self.outlasting -= 1
        if not solve.task.done:
            self._give_up(solve)

    # Vertex solves

    def _solve_of(self, vertex: V) -> VertexSolve[V, R]:
        digest = self._delegate.digest(vertex)
        solve = self._solves.get(digest)
        if solve is None or self._again(solve.task):
            solve = self._solves[digest] = VertexSolve(vertex)
            solve.task = self._loop.spawn(self._solve_vertex(solve))
        return solve

    def _want(self, solve: VertexSolve[V, R], client: Client) -> None:
        stack = [solve]
        while stack:
            wanted = stack.pop()
            if client not in wanted.clients:
                wanted.clients.add(client)
                client.solves.add(wanted)  # type: ignore[arg-type]
                stack.extend(wanted.parts)

    def _solve_vertex(self, solve: VertexSolve[V, R]) -> Body:
        error: BaseException | None = None
        try:
            results = yield from self._produce(solve)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._observer.completed(solve.vertex, error is None and not solve.ran, error)
        return results

    def _produce(self, solve: VertexSolve[V, R]) -> Body:
        """Take the steps described at the top of this module."""
        vertex, delegate, stop = solve.vertex, self._delegate, solve.cancellation
        if not delegate.recorded(vertex):
            return (yield from self._run(solve, []))
        lookup = not delegate.ignore_cache(vertex)
        by_key = lookup and not self._above_uncached(vertex)
        known = lookup and delegate.known(vertex)
        if known and by_key and (results := (yield from self._lookup(solve))) is not None:
            return results
        inputs = yield from self._inputs(solve, adopt=known)
        key: str | None = (yield from self._key(solve)) if known else None
        if key is not None:
            if (results := (yield Call(partial(delegate.find, vertex, key, inputs, stop)))) is not None:
                return results
            self._observer.missed(vertex, key)
        # Entered in a worker thread: it may wait for another process.
        job = delegate.job(vertex, key, stop)
        yield Call(job.__enter__)
        try:
            # Another process may have run and recorded the vertex while this one waited for the lock.
            if (
                by_key
                and delegate.known(vertex)
                and (results := (yield from self._lookup(solve))) is not None
            ):
                return results
            results = yield from self._run(solve, inputs)
            key = yield from self._key(solve)
            yield Call(partial(delegate.save, vertex, key, inputs, results))
            return results
        finally:
            job.__exit__(None, None, None)

    def _lookup(self, solve: VertexSolve[V, R]) -> Body:
        key = yield from self._key(solve)
        results = self._delegate.lookup(solve.vertex, key)
        if results is None and self._elsewhere is not None:
            fetch = self._elsewhere(solve.vertex, key, solve.cancellation)
            if fetch is not None:
                results = yield Call(fetch)
        return results

    def _inputs(self, solve: VertexSolve[V, R], *, adopt: bool) -> Body:
        solve.check()
        edges = self._delegate.inputs(solve.vertex)
        solve.parts = [self._solve_of(edge.vertex) for edge in edges]
        for part in solve.parts:
            for client in tuple(solve.clients):
                self._want(part, client)
        yield All([part.task for part in solve.parts])
        results: list[R] = []
        for edge, part in zip(edges, solve.parts, strict=True):
            if adopt and part.ran and edge.index not in part.adopted:
                result = part.task.value[edge.index]
                part.adopted[edge.index] = yield Call(
                    partial(self._delegate.adopt, result, solve.cancellation)
                )
            results.append(part.adopted.get(edge.index, part.task.value[edge.index]))
        return results

    def _run(self, solve: VertexSolve[V, R], inputs: Sequence[R]) -> Body:
        vertex, delegate, stop = solve.vertex, self._delegate, solve.cancellation
        limited = delegate.limited(vertex)
        if limited:
            yield self._slots
        try:
            solve.check()
            solve.ran = True
            self._observer.started(vertex)
            begun = time.monotonic()
            try:
                return (yield Call(partial(delegate.run, vertex, inputs, stop)))
            finally:
                solve.span = begun, time.monotonic()
        finally:
            if limited:
                self._slots.release()

    def _above_uncached(self, vertex: V) -> bool:
        """Report whether a vertex beneath ignores the cache. Keys say nothing about the next result of such a vertex,
        so only the content of inputs can be looked up. Iterative, as graphs are deeper than Python's stack."""
        delegate, known = self._delegate, self._above
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
                    delegate.ignore_cache(part) or known[delegate.digest(part)] for part in parts
                )
            stack.pop()
        return known[delegate.digest(vertex)]

    # Keys

    def _key(self, solve: VertexSolve[V, R]) -> Body:
        while True:
            try:
                (key,) = yield All([self._key_task(solve.vertex, solve.cancellation)])
                return key
            except Cancelled:
                solve.check()  # not ours: another vertex solve, cancelled meanwhile, had begun to compute the key

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
        # Only a source's key may need I/O; the others are computed in the loop's thread.
        own = call() if edges else (yield Call(call))
        return combine_keys(own, [(key, edge.index) for key, edge in zip(keys, edges, strict=True)])
