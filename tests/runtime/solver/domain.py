"""A small domain for the solver: a delegate that behaves and counts, and an obviously right solver."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.solver.types import Cancellation, Input


@dataclass(frozen=True)
class Node:
    """`reads` picks what the op sees of each input; the output has only `spread` different values, so a
    changed input often leaves it as it was."""

    name: str
    inputs: tuple[Node, ...] = ()
    salt: int = 0
    spread: int = 1 << 30
    fails: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, eq=False)
class Value:
    """A result: `content` is what it is, the object which run made it."""

    content: int


def evaluate(node: Node, inputs: Sequence[int], world: Mapping[str, int]) -> int:
    seed = f"{node.salt} {world.get(node.name, 0) if not node.inputs else ''} {list(inputs)}"
    return int.from_bytes(sha256(seed.encode()).digest()[:8], "big") % node.spread


def oracle(node: Node, world: Mapping[str, int]) -> int:
    """The result by definition."""
    return evaluate(node, [oracle(part, world) for part in node.inputs], world)


@dataclass
class Records:
    """What outlasts a solve; shared by the delegates of several solvers."""

    by_key: dict[str, Value] = field(default_factory=dict)
    by_content: dict[tuple[int, tuple[int, ...]], Value] = field(default_factory=dict)
    by_identity: dict[int, Value] = field(default_factory=dict)
    ops: set[int] = field(default_factory=set)
    locks: dict[str, threading.Lock] = field(default_factory=dict)


class Domain:
    """The delegate. Leaves are sources keyed by `world[name]`."""

    def __init__(self, records: Records, world: Mapping[str, int], delay: float = 0) -> None:
        self.records = records
        self.world = world
        self.delay = delay
        self.runs: Counter[str] = Counter()
        self.running = 0
        self.most = 0
        self.no_cache: set[str] = set()
        self.waited_for: set[str] = set()
        self._lock = threading.Lock()

    def digest(self, vertex: Node) -> str:
        return f"{vertex.name}"

    def inputs(self, vertex: Node) -> Sequence[Input[Node]]:
        return [Input(part, 0) for part in vertex.inputs]

    def recorded(self, vertex: Node) -> bool:
        return True

    def limited(self, vertex: Node) -> bool:
        return True

    def ignore_cache(self, vertex: Node) -> bool:
        return vertex.name in self.no_cache

    def known(self, vertex: Node) -> bool:
        return vertex.salt in self.records.ops

    def op_key(self, vertex: Node, cancellation: Cancellation) -> str:
        return f"{vertex.salt} {'' if vertex.inputs else self.world.get(vertex.name, 0)}"

    def lookup(self, vertex: Node, key: str) -> Sequence[Value] | None:
        found = self.records.by_key.get(key)
        return None if found is None else [found]

    def find(
        self, vertex: Node, key: str, inputs: Sequence[Value], cancellation: Cancellation
    ) -> Sequence[Value] | None:
        if not inputs:
            return None
        found = self.records.by_content.get((vertex.salt, tuple(value.content for value in inputs)))
        if found is not None:
            self.records.by_key[key] = found
        return None if found is None else [found]

    def adopt(self, result: Value, cancellation: Cancellation) -> Value:
        return self.records.by_identity.get(result.content, result)

    def run(self, vertex: Node, inputs: Sequence[Value], cancellation: Cancellation) -> Sequence[Value]:
        with self._lock:
            self.runs[vertex.name] += 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            until = time.monotonic() + self.delay
            while time.monotonic() < until:
                if cancellation():
                    raise Cancelled
                time.sleep(0.001)
            if vertex.fails:
                raise UserError(f"{vertex.name} failed")
            return [Value(evaluate(vertex, [value.content for value in inputs], self.world))]
        finally:
            with self._lock:
                self.running -= 1

    def save(self, vertex: Node, key: str, inputs: Sequence[Value], results: Sequence[Value]) -> None:
        (result,) = results
        with self._lock:
            self.records.by_key[key] = result
            self.records.by_content[vertex.salt, tuple(value.content for value in inputs)] = result
            self.records.by_identity.setdefault(result.content, result)
            self.records.ops.add(vertex.salt)

    @contextmanager
    def job(self, vertex: Node, key: str | None, cancellation: Cancellation) -> Iterator[None]:
        with self._lock:
            lock = self.records.locks.setdefault(key or vertex.name, threading.Lock())
        while not lock.acquire(timeout=0.01):
            if cancellation():
                raise Cancelled
        try:
            yield
        finally:
            lock.release()

    def wanted(self, vertex: Node) -> bool:
        return vertex.name in self.waited_for
