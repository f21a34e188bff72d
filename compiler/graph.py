"""The graph: vertices connected by edges. The op is the identity of a vertex; everything else is `Metadata`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from attrs import evolve, field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.ops import Op, Platform
from pybuild.lang.source import Span


@frozen
class ProgressGroup:
    id: str = ""
    name: str = ""
    weak: bool = False


@frozen
class LinuxResources:
    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""


@frozen
class Metadata:
    """The properties of a vertex that are not part of its identity.

    `description` holds BuildKit's keys (`llb.customname`, `com.docker.dockerfile.v1.command`, …).
    `export_cache` None means unset.
    """

    ignore_cache: bool = False
    description: Mapping[str, str] = field(factory=FrozenMap, converter=frozen_map)
    export_cache: bool | None = None
    caps: Mapping[str, bool] = field(factory=FrozenMap, converter=frozen_map)
    progress_group: ProgressGroup | None = None
    linux_resources: LinuxResources | None = None
    spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        return self.description.get("llb.customname", "")


@frozen
class Edge:
    """Output number `index` of a vertex."""

    vertex: Vertex
    index: int = 0


# Without slots: cached properties need a `__dict__`, and `llb.decode` puts received bytes there.
@frozen(slots=False, eq=False)
class Vertex:
    """An op with its inputs. Vertices with equal digests are equal.

    `constraints` are worker filters. () is an empty message and None its absence, which have different digests;
    BuildKit's client always writes the message.
    """

    op: Op
    inputs: tuple[Edge, ...] = ()
    platform: Platform | None = None
    constraints: tuple[str, ...] | None = ()
    metadata: Metadata = field(default=Metadata(), repr=False)

    @cached_property
    def payload(self) -> bytes:
        """The canonical `pb.Op` bytes."""
        from pybuild.compiler.llb.encode import encode_op

        return encode_op(self)

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the hash of `payload`. BuildKit's digest of the same op is equal."""
        from hashlib import sha256

        return "sha256:" + sha256(self.payload).hexdigest()

    @property
    def name(self) -> str:
        return self.metadata.name

    def with_metadata(self, metadata: Metadata) -> Vertex:
        return evolve(self, metadata=metadata)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vertex) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def walk(roots: Iterable[Edge]) -> Iterator[Vertex]:
    """Yield the vertices reachable from `roots`, inputs first, equal ones once. Graphs are deep: it doesn't
    recurse."""
    done: set[str] = set()
    stack = [(edge.vertex, False) for edge in reversed(list(roots))]
    while stack:
        vertex, ready = stack.pop()
        if vertex.digest in done:
            continue
        if ready:
            done.add(vertex.digest)
            yield vertex
        else:
            # Pushed again beneath its inputs, to be yielded after them.
            stack.append((vertex, True))
            stack.extend((edge.vertex, False) for edge in reversed(vertex.inputs))
