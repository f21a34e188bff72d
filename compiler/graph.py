"""The graph: vertices joined by edges. Identity is in the op; everything else is in `Metadata`."""

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
    """What is known of a vertex without being part of its identity.

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


@frozen(slots=False, eq=False)
class Vertex:
    """An op with its inputs. Two vertices are equal when their digests are.

    `constraints` are worker filters; BuildKit's client always writes the message, so () is that empty
    message and None its absence: two identities.
    """

    op: Op
    inputs: tuple[Edge, ...] = ()
    platform: Platform | None = None
    constraints: tuple[str, ...] | None = ()
    metadata: Metadata = field(default=Metadata(), repr=False)

    @cached_property
    def payload(self) -> bytes:
        """Canonical `pb.Op` bytes."""
        from pybuild.compiler.llb.encode import encode_op

        return encode_op(self)

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the hash of `payload`: BuildKit's digest of the same op."""
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
    """Every vertex reachable from `roots`, each once by digest, inputs before users; no recursion."""
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
            stack.append((vertex, True))
            stack.extend((edge.vertex, False) for edge in reversed(vertex.inputs))
