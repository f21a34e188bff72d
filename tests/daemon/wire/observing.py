"""What a daemon made of a graph, as values to compare: files of the result, what a step printed, how it failed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from tests.daemon.client.definitions import Graph
from tests.daemon.client.failure import Failure
from tests.daemon.client.files import Results
from tests.daemon.client.serving import Offer
from tests.daemon.client.solving import Build, Solved, SolveFailed, ask, solve
from tests.support.daemons import HOST_NETWORK, Peer

from pybuild.compiler.ops import NetMode
from pybuild.compiler.state import AnyMount, ExecState, State

RUNS = (HOST_NETWORK,)
"""Entitlements of a Solve that runs steps."""


@frozen
class Entry:
    """A file of a result: kind as `ls` shows it, permission bits, owner, content or link target."""

    kind: str
    mode: int
    owner: tuple[int, int] = (0, 0)
    content: bytes = b""
    mtime: float = field(default=0, eq=False)
    xattrs: dict[str, str] = field(factory=dict, eq=False)


def text(content: str, mode: int = 0o644, owner: tuple[int, int] = (0, 0)) -> Entry:
    return Entry("-", mode, owner, content.encode())


def folder(mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> Entry:
    return Entry("d", mode, owner)


def link(target: str) -> Entry:
    return Entry("l", 0o777, (0, 0), target.encode())


def tree(peer: Peer, graph: Graph, *offers: Offer, **fields: Any) -> dict[str, Entry]:
    """The result's files by path, from the tar exporter. `fields` are those of Build."""
    results = Results()
    build = Build(graph, exporters=[("tar", {})], offers=[*offers, results.offer()], **_running(fields))
    solve(peer.daemon, build)
    return unpacked(results.only.data)


def unpacked(archive: bytes) -> dict[str, Entry]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            kind = "d" if member.isdir() else "l" if member.issym() else "h" if member.islnk() else "-"
            data = member.linkname.encode() if kind in "lh" else b""
            if kind == "-" and (file := opened.extractfile(member)) is not None:
                data = file.read()
            owner = (member.uid, member.gid)
            xattrs = {
                name.removeprefix("SCHILY.xattr."): value
                for name, value in member.pax_headers.items()
                if name.startswith("SCHILY.xattr.")
            }
            path = member.name.strip("/")
            found[path] = Entry(kind, member.mode & 0o7777, owner, data, member.mtime, xattrs)
    return found


def output(peer: Peer, graph: Graph, *offers: Offer, path: str = "/out", **fields: Any) -> str:
    """The text of a file of the result."""
    data = ask(peer.daemon, lambda g: g.read_file(g.ref(graph), path), *offers, **_running(fields))
    return data.decode()


def done(peer: Peer, graph: Graph, *offers: Offer, **fields: Any) -> Solved:
    return solve(peer.daemon, Build(graph, offers=offers, **_running(fields)))


def failure(peer: Peer, graph: Graph, *offers: Offer, **fields: Any) -> SolveFailed:
    """How the Solve of a graph fails."""
    try:
        solve(peer.daemon, Build(graph, offers=offers, **_running(fields)))
    except SolveFailed as failed:
        return failed
    raise AssertionError("solved")


def refused(peer: Peer, graph: Graph, *offers: Offer, **fields: Any) -> Failure:
    """How the bridge's Solve of a graph fails."""
    try:
        ask(peer.daemon, lambda g: g.ref(graph, evaluate=True), *offers, **_running(fields))
    except Failure as failed:
        return failed
    raise AssertionError("solved")


def sh(base: State, script: str, *mounts: AnyMount, **options: Any) -> ExecState:
    """A step that runs a script of the shell."""
    return base.run(["sh", "-c", script], mounts=mounts, **options)


def offline(base: State) -> State:
    """The state's commands without any network: what they print does not depend on the machine's."""
    return base.network(NetMode.NONE)


def _running(fields: dict[str, Any]) -> dict[str, Any]:
    entitlements: Sequence[str] = RUNS
    return {"entitlements": entitlements, **fields}
