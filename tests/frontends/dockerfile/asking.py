"""Dockerfiles that a client in a build has the daemon's own frontend make something of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.daemon.client.failure import Failure
from tests.daemon.client.solving import ask

from pybuild.compiler.protos import errdefs_pb2
from pybuild.compiler.state import State, mkfile

if TYPE_CHECKING:
    from tests.daemon.client.bridge import Gateway
    from tests.daemon.client.definitions import Graph
    from tests.support.daemons import Peer

    from pybuild.compiler.protos import gateway_pb2, policy_pb2


def files(**contents: str) -> State:
    """A state with these files; `__` in a name stands for a dot."""
    state = State.scratch()
    for name, text in contents.items():
        state = state.file(mkfile("/" + name.replace("__", "."), text.encode()))
    return state


CONTEXT = files(a="a", b="b")


def made(
    gateway: Gateway,
    text: str,
    options: Mapping[str, str] | None = None,
    inputs: Mapping[str, Graph] | None = None,
    policies: tuple[policy_pb2.Policy, ...] = (),
) -> gateway_pb2.Result:
    """What `dockerfile.v0` makes of a Dockerfile and CONTEXT."""
    given: dict[str, Graph] = {"dockerfile": files(Dockerfile=text), "context": CONTEXT}
    return gateway.solve(
        frontend="dockerfile.v0", options=options, inputs={**given, **(inputs or {})}, policies=policies
    )


def refused(peer: Peer, text: str, options: Mapping[str, str] | None = None) -> Failure:
    """How a Dockerfile fails."""

    def frontend(gateway: Gateway) -> Failure:
        try:
            made(gateway, text, options)
        except Failure as failure:
            return failure
        raise AssertionError("it is fine")

    return ask(peer.daemon, frontend)


def lines(failure: Failure) -> list[tuple[int, int]]:
    """The first and last line of each range that a failure's place has."""
    found = failure.all(errdefs_pb2.Source)
    return [(one.start.line, one.end.line) for source in found for one in source.ranges]
