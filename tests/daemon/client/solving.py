"""A whole build by a client: session, Solve and Status at once, and the frontend in the client if there is one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TypeVar

from attrs import define, field
from tests.daemon.client.bridge import Gateway, Result, result
from tests.daemon.client.control import Daemon
from tests.daemon.client.definitions import Graph, definition
from tests.daemon.client.failure import Failure
from tests.daemon.client.progress import Progress, Watch
from tests.daemon.client.serving import Offer
from tests.daemon.client.sessions import Session

from pybuild.compiler.protos import control_pb2, policy_pb2

T = TypeVar("T")
Exporter = tuple[str, Mapping[str, str]]
"""An exporter's type and attributes."""

Callback = Callable[[Gateway], Result | None]
"""A frontend in the client. None is the empty file system as the result."""


class SolveFailed(Failure):
    """A Solve that failed: with what Status had told."""

    def __init__(self, failure: Failure, progress: Progress) -> None:
        super().__init__(failure.code, failure.message, failure.details)
        self.progress = progress


@define
class Solved:
    """What came of a Solve: the exporters' answer, and what Status told."""

    ref: str
    response: dict[str, str]
    progress: Progress


@define
class Build:
    """What a Solve is asked for. `graph` None and no frontend: nothing, or the frontend in the client.

    A session with `offers` is opened for the time of the build, unless `session` names an open one. `more` are other
    fields of the request, by name.
    """

    graph: Graph = None
    frontend: str = ""
    attrs: Mapping[str, str] = field(factory=dict)
    inputs: Mapping[str, Graph] = field(factory=dict)
    exporters: Sequence[Exporter] = ()
    offers: Sequence[Offer] = ()
    session: Session | None = None
    shared_key: str = ""
    cache_from: Sequence[Exporter] = ()
    cache_to: Sequence[Exporter] = ()
    entitlements: Iterable[str] = ()
    policy: policy_pb2.Policy | None = None
    more: Mapping[str, object] = field(factory=dict)
    ref: str = field(factory=lambda: uuid.uuid4().hex[:25])

    def request(self, session: str) -> control_pb2.SolveRequest:
        kind, attrs = self.exporters[0] if self.exporters else ("", {})
        request = control_pb2.SolveRequest(
            Ref=self.ref,
            Definition=definition(self.graph) if self.graph is not None else None,
            ExporterDeprecated=kind,
            ExporterAttrsDeprecated=attrs,
            Exporters=[control_pb2.Exporter(Type=kind, Attrs=attrs) for kind, attrs in self.exporters],
            Session=session,
            Frontend=self.frontend,
            FrontendAttrs=self.attrs,
            FrontendInputs={name: definition(one) for name, one in self.inputs.items()},
            Cache=control_pb2.CacheOptions(
                Exports=_entries(self.cache_to), Imports=_entries(self.cache_from)
            ),
            Entitlements=self.entitlements,
            SourcePolicy=self.policy,
        )
        for name, value in self.more.items():
            setattr(request, name, value)
        return request


def solve(daemon: Daemon, build: Build, frontend: Callback | None = None, timeout: float = 120.0) -> Solved:
    """Raises SolveFailed, or whatever else `frontend` raised once the build has ended."""
    with ExitStack() as stack:
        session = build.session
        if session is None:
            session = stack.enter_context(Session(daemon, build.offers, shared_key=build.shared_key))
        pending = daemon.solve(build.request(session.id), timeout)
        watch = Watch(daemon.status(build.ref, timeout))
        stack.callback(watch.cancel)
        stack.callback(pending.cancel)
        raised = _serve(daemon.gateway(build.ref), frontend) if frontend is not None else None
        try:
            response = dict(pending().ExporterResponse)
        except Failure as failure:
            failed = SolveFailed(failure, watch.wait())
            raise (raised if raised is not None and not isinstance(raised, Failure) else failed) from raised
        if raised is not None:
            raise AssertionError("the build went on after its frontend had failed") from raised
        return Solved(build.ref, response, watch.wait())


def ask(daemon: Daemon, question: Callable[[Gateway], T], *offers: Offer, **fields: object) -> T:
    """The answer of a function that is a build's frontend: what it makes of refs, files, metadata. `fields` are those
    of Build. What the function raises is raised, failures of its calls as they came."""
    found: list[T] = []
    failures: list[Failure] = []

    def frontend(gateway: Gateway) -> Result:
        try:
            found.append(question(gateway))
        except Failure as failure:
            failures.append(failure)
            raise
        return result("")

    try:
        solve(daemon, Build(offers=offers, **fields), frontend)  # type: ignore[arg-type]
    except SolveFailed:
        if failures:
            raise failures[0] from None
        raise
    return found[0]


def _serve(gateway: Gateway, frontend: Callback) -> Exception | None:
    """Have the frontend return a result; or what it raised, which is returned as an error."""
    try:
        gateway.give_back(frontend(gateway) or result(""))
    except Exception as error:
        try:
            gateway.give_up(error)
        except Failure:
            # The build is over already: the Solve says why.
            pass
        return error
    return None


def _entries(entries: Sequence[Exporter]) -> list[control_pb2.CacheOptionsEntry]:
    return [control_pb2.CacheOptionsEntry(Type=kind, Attrs=attrs) for kind, attrs in entries]
