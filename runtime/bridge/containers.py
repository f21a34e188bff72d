"""Containers of a frontend: states, caches and secrets mounted for processes that it starts, one after another or
side by side, with their streams on the wire.

    Containers     by the ids that the frontend gives them: this module
    Container      one, from its mounts to its end: `container`
    Running        a process in one: `running`
    ExecStream     processes of one call, whichever containers they are in: `execstream`
"""

from __future__ import annotations

import ipaddress
import os
import threading

from attrs import evolve

from pybuild.compiler.llb.decode_ops import decode_mount
from pybuild.compiler.ops import EMPTY, ExecOp, HostIP, Meta, MountType, NetMode
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.bridge import gateway as trees
from pybuild.runtime.bridge.container import Container
from pybuild.runtime.bridge.execstream import ExecStream
from pybuild.runtime.bridge.gateway import linked
from pybuild.runtime.bridge.stats import base_name, stat_of
from pybuild.runtime.bridge.statuses import EXISTS, NOT_FOUND, CallRefused
from pybuild.runtime.ops.results import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.compiler.protos import gateway_pb2 as pb
    from pybuild.compiler.protos import ops_pb2
    from pybuild.compiler.protos.fsutil_pb2 import Stat
    from pybuild.runtime.bridge.execstream import StatusOf
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.bridge.refs import Refs
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.snapshots.types import Tree
    from pybuild.runtime.solver.types import Cancellation


class Containers:
    """The containers of one frontend. Thread-safe. Every method may raise UserError."""

    def __init__(self, gateway: Gateway, refs: Refs) -> None:
        self._gateway = gateway
        self._refs = refs
        self._open: dict[str, Container] = {}
        self._guard = threading.Lock()
        self._closed = False

    def new(self, request: pb.NewContainerRequest, cancellation: Cancellation) -> None:
        """Solve the states that a container mounts, and mount them."""
        op, results = self._op(request, cancellation)
        with linked(self._gateway.engine.cancellation, cancellation) as both:
            container = Container(self._gateway.engine, request.ContainerID, op, results, both)
        # Mounting takes long and is not done under the lock; `close` may have come meanwhile.
        with self._guard:
            closed, known = self._closed, request.ContainerID in self._open
            if not (closed or known):
                self._open[request.ContainerID] = container
                return
        container.release()
        raise Cancelled if closed else CallRefused(EXISTS, f"Container {request.ContainerID} already exists")

    def exec(
        self, incoming: Iterator[pb.ExecMessage], cancellation: Cancellation, status_of: StatusOf
    ) -> Iterator[pb.ExecMessage]:
        """Carry one stream with processes of all containers; each message names its process. It ends when the
        frontend sends no more and the processes it began here have ended, or with `cancellation`, which ends
        them too."""
        return ExecStream(self._started, status_of).run(incoming, cancellation)

    def release(self, id: str) -> None:
        """End a container. Raises the error of a process that failed or had to be killed."""
        with self._guard:
            container = self._open.pop(id, None)
        if container is None:
            raise UserError(f"container details for {id} not found")
        container.release()
        container.check()

    def read_file(self, request: pb.ReadFileRequest) -> bytes:
        within = request.HasField("Range")
        return trees.read_file(
            self._tree(request.Ref, request.MountIndex, request.FilePath),
            request.FilePath,
            offset=max(request.Range.Offset, 0),
            length=max(request.Range.Length, 0) if within else None,
        )

    def read_dir(self, request: pb.ReadDirRequest) -> Sequence[Stat]:
        tree = self._tree(request.Ref, request.MountIndex, request.DirPath)
        return [stat_of(one) for one in trees.read_dir(tree, request.DirPath, request.IncludePattern)]

    def stat(self, request: pb.StatFileRequest) -> Stat:
        tree = self._tree(request.Ref, request.MountIndex, request.Path)
        return stat_of(trees.stat(tree, request.Path), base_name(request.Path))

    def close(self) -> None:
        """End all containers and refuse new ones. Idempotent."""
        with self._guard:
            self._closed = True
            left, self._open = list(self._open.values()), {}
        # All are killed before one is waited for, so that they end side by side.
        for one in left:
            one.kill()
        for one in left:
            one.release()

    def _started(self, id: str) -> Container:
        with self._guard:
            container = self._open.get(id)
        if container is None:
            raise CallRefused(NOT_FOUND, f'container "{id}" previously released or not created')
        return container

    def _tree(self, id: str, index: int, path: str) -> Tree:
        with self._guard:
            container = self._open.get(id)
        if container is None:
            raise UserError(f"container details for {id}@{index} not found")
        tree = container.tree(index)
        if not os.path.normpath(path).startswith("/"):
            raise UserError(f"can't make {path} relative to /")
        return tree

    def _op(
        self, request: pb.NewContainerRequest, cancellation: Cancellation
    ) -> tuple[ExecOp, Sequence[Result]]:
        """Return a container's mounts and network as an exec op without a command, and the solved states of
        its inputs."""
        results: list[Result] = []
        mounts = []
        for message in request.Mounts:
            mount = decode_mount(message.SerializeToString())
            if mount.dest == "/" and mount.mount_type != MountType.BIND:
                raise UserError(f"invalid mount type {mount.mount_type.name} for {mount.dest}")
            number = EMPTY
            if mount.result_id:
                number = len(results)
                results.append(self._result(message, cancellation))
            # A root can be written to though it was asked for otherwise, as with BuildKit.
            readonly = mount.readonly and mount.dest != "/"
            mounts.append(evolve(mount, input=number, output=EMPTY, readonly=readonly, result_id=""))
        meta = Meta(hostname=request.hostname, extra_hosts=tuple(map(_host, request.extraHosts)))
        return ExecOp(meta, tuple(mounts), NetMode(request.Network)), results

    def _result(self, message: ops_pb2.Mount, cancellation: Cancellation) -> Result:
        snapshot = self._refs.kept(message.resultID)
        if snapshot is not None:
            return Snapshot(snapshot)
        try:
            edge = self._refs.returned(message.resultID)
        except UserError as error:
            raise UserError(
                f'failed to find ref {message.resultID} for "{message.dest}" mount: {error}'
            ) from None
        return self._gateway.evaluate(edge, cancellation)


def _host(entry: ops_pb2.HostIP) -> HostIP:
    try:
        ipaddress.ip_address(entry.IP.partition("%")[0])
    except ValueError:
        raise UserError(f"failed to parse IP {entry.IP}") from None
    return HostIP(entry.Host, entry.IP)
