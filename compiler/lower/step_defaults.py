"""The defaults of a build's steps: for commands that the lowering makes, and for graphs that others made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from pybuild.compiler.exec_process import exec_caps
from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.graph import Edge, Vertex, walk
from pybuild.compiler.lower.commands import proxy_env
from pybuild.compiler.mounts import FileMount, tmpfs
from pybuild.compiler.ops import (
    EMPTY,
    ExecOp,
    HostIP,
    Mount,
    MountType,
    NetMode,
    Platform,
    ProxyEnv,
    SourceOp,
    TmpfsOpt,
    Ulimit,
)
from pybuild.compiler.state import State

NETWORKS = {"none": NetMode.NONE, "host": NetMode.HOST}
"""Network modes by name; any other name leaves the mode unset."""

SHARED_MEMORY = "/dev/shm"


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


@frozen
class StepDefaults:
    """The settings that a user gives for all steps of a build, whichever frontend makes them.

    `network` is `default`, `none` or `host`. `shm_size` is in bytes; 0 leaves the size to the builder. `proxies` maps
    proxy variables, in either case, to their values. With `no_cache` every step runs again. A setting of the step
    itself wins; hosts and limits are added to the step's own.

    The host name isn't among them: only Dockerfiles set one, from a build argument.
    """

    no_cache: bool = False
    network: str = "default"
    extra_hosts: tuple[HostIP, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    proxies: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)

    @property
    def network_mode(self) -> NetMode:
        return NETWORKS.get(self.network, NetMode.UNSET)

    @property
    def proxy_env(self) -> ProxyEnv | None:
        return proxy_env(self.proxies)

    def applied(self, edges: Iterable[Edge | None]) -> list[Edge | None]:
        """Return the same edges of a graph in which every step has the defaults.

        Vertices that don't change stay the same objects, and what edges share stays shared.
        """
        edges = list(edges)
        if self == StepDefaults():
            return edges
        vertices: dict[str, Vertex] = {}
        for vertex in walk(edge for edge in edges if edge is not None):
            vertices[vertex.digest] = self._vertex(vertex, vertices)
        return [None if edge is None else evolve(edge, vertex=vertices[edge.vertex.digest]) for edge in edges]

    def _vertex(self, vertex: Vertex, vertices: Mapping[str, Vertex]) -> Vertex:
        inputs = tuple(evolve(edge, vertex=vertices[edge.vertex.digest]) for edge in vertex.inputs)
        same = all(edge.vertex is other.vertex for edge, other in zip(inputs, vertex.inputs, strict=True))
        metadata, op = vertex.metadata, vertex.op
        if isinstance(op, ExecOp):
            op = self._exec(op)
            caps: Any = {**metadata.caps, **dict.fromkeys(self._caps(op), True)}
            metadata = evolve(metadata, caps=caps)
        if self.no_cache and not isinstance(op, SourceOp):
            metadata = evolve(metadata, ignore_cache=True)
        # A new vertex would be encoded again, and lose bytes that a client sent (`llb.decode.ReceivedVertex`).
        if same and op is vertex.op and metadata is vertex.metadata:
            return vertex
        return Vertex(op, inputs, vertex.platform, vertex.constraints, metadata)

    def _exec(self, op: ExecOp) -> ExecOp:
        meta, mounts = op.meta, op.mounts
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
            extra_hosts=(*meta.extra_hosts, *self.extra_hosts),
            ulimit=(*meta.ulimit, *self.ulimits),
            cgroup_parent=meta.cgroup_parent or self.cgroup_parent,
            proxy_env=meta.proxy_env or self.proxy_env,
        )
        network = self.network_mode if op.network is NetMode.UNSET else op.network
        return evolve(op, meta=meta, mounts=mounts, network=network)

    def _caps(self, op: ExecOp) -> set[str]:
        memory = {"exec.mount.tmpfs", "exec.mount.tmpfs.size"} if self.shm_size > 0 else set()
        return exec_caps(op) | memory


def command_state(
    steps: StepDefaults,
    *,
    cwd: str,
    environment: Mapping[str, str],
    user: str,
    platform: Platform | None,
    hostname: str = "",
) -> State:
    """Return the state that a command runs in, without its file system."""
    return State(
        cwd=cwd,
        environment=tuple(environment.items()),
        user_name=user,
        host_name=hostname,
        platform=platform,
        network_mode=steps.network_mode,
        extra_hosts=steps.extra_hosts,
        ulimits=steps.ulimits,
        cgroup_parent=steps.cgroup_parent,
    )


def shared_memory(steps: StepDefaults) -> list[FileMount]:
    """Return the mount of shared memory; empty if the user gave no size."""
    return [tmpfs(SHARED_MEMORY, size=steps.shm_size)] if steps.shm_size > 0 else []
