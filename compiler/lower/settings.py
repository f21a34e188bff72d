"""What the command line says of every step, applied to a graph that was made without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, frozen

from pybuild.compiler.exec_process import exec_caps
from pybuild.compiler.graph import Edge, Vertex, walk
from pybuild.compiler.lower.commands import NETWORKS
from pybuild.compiler.ops import (
    EMPTY,
    ExecOp,
    HostIP,
    Mount,
    MountType,
    NetMode,
    ProxyEnv,
    SourceOp,
    TmpfsOpt,
    Ulimit,
)

SHARED_MEMORY = "/dev/shm"


@frozen
class StepSettings:
    """Settings of all steps (see `lower.commands.Surroundings`), the proxies they are given, and whether they run
    anew. What a step says itself wins; hosts and limits are added to its own."""

    no_cache: bool = False
    network_default: str = "default"
    add_hosts: tuple[HostIP, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    proxy: ProxyEnv | None = None

    def applied(self, edges: Iterable[Edge | None]) -> list[Edge | None]:
        """The same edges of a graph whose steps have the settings."""
        edges = list(edges)
        if self == StepSettings():
            return edges
        made: dict[str, Vertex] = {}
        for vertex in walk(edge for edge in edges if edge is not None):
            made[vertex.digest] = self._vertex(vertex, made)
        return [None if edge is None else evolve(edge, vertex=made[edge.vertex.digest]) for edge in edges]

    def _vertex(self, vertex: Vertex, made: Mapping[str, Vertex]) -> Vertex:
        inputs = tuple(evolve(edge, vertex=made[edge.vertex.digest]) for edge in vertex.inputs)
        same = all(one.vertex is other.vertex for one, other in zip(inputs, vertex.inputs, strict=True))
        metadata, op = vertex.metadata, vertex.op
        if isinstance(op, ExecOp):
            op = self._step(op)
            caps: Any = {**metadata.caps, **dict.fromkeys(self._caps(op), True)}
            metadata = evolve(metadata, caps=caps)
        if self.no_cache and not isinstance(op, SourceOp):
            metadata = evolve(metadata, ignore_cache=True)
        if same and op is vertex.op and metadata is vertex.metadata:
            return vertex
        return Vertex(op, inputs, vertex.platform, vertex.constraints, metadata)

    def _step(self, op: ExecOp) -> ExecOp:
        meta, network = op.meta, op.network
        if network is NetMode.UNSET:
            network = NETWORKS.get(self.network_default, network)
        mounts = op.mounts
        if self.shm_size > 0 and all(mount.dest != SHARED_MEMORY for mount in mounts):
            memory = Mount(
                input=EMPTY,
                dest=SHARED_MEMORY,
                output=EMPTY,
                mount_type=MountType.TMPFS,
                tmpfs_opt=TmpfsOpt(self.shm_size),
            )
            mounts = (*mounts, memory)
        meta = evolve(
            meta,
            extra_hosts=(*meta.extra_hosts, *self.add_hosts),
            ulimit=(*meta.ulimit, *self.ulimits),
            cgroup_parent=meta.cgroup_parent or self.cgroup_parent,
            proxy_env=meta.proxy_env or self.proxy,
        )
        return evolve(op, meta=meta, mounts=mounts, network=network)

    def _caps(self, op: ExecOp) -> set[str]:
        memory = {"exec.mount.tmpfs", "exec.mount.tmpfs.size"} if self.shm_size > 0 else set()
        return exec_caps(op) | memory
