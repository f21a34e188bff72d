"""A Solve in its worker, from the request to the answer.

engine   = Engine(…)                        in the build's namespaces, on the shared store, for the client's session
result   = a definition's state, or what a frontend makes, or what the client returns over LLBBridge
answer   = export(result, …)                images, archives and files, pushed or sent to the client
"""

from __future__ import annotations

import threading
import time

from pybuild.compiler.gateway import Request, Result
from pybuild.daemon import caches, exporting
from pybuild.daemon.entitlements import grant
from pybuild.daemon.progress import Progress
from pybuild.daemon.solve_request import solve_task_of
from pybuild.daemon.source_policies import policy_of
from pybuild.daemon.workerrecord import worker_platforms, worker_record
from pybuild.frontends.gateway import make_gateway
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.caller import Caller
from pybuild.runtime.bridge.results import edge_of
from pybuild.runtime.clients.sessionclient import SessionClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig
from pybuild.runtime.sandbox.surroundings import Dns, Surroundings
from pybuild.runtime.session.frontcalls import FrontSessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.build.worker import Owner, Task
    from pybuild.compiler.protos.control_pb2 import SolveRequest
    from pybuild.compiler.protos.worker_pb2 import WorkerRecord
    from pybuild.daemon.settings import Settings
    from pybuild.runtime.bridge.gateway import Gateway

OUTLASTING = 5.0
"""Seconds between two messages of a cancelled worker that it works for others: less than what ends it (GRACE in
`workers.py`)."""


def solve(task: Task, owner: Owner, settings: Settings) -> tuple[dict[str, str], dict[str, object]]:
    """Solve and export; return the exporters' response, and facts for the history. Raises UserError, Cancelled."""
    solve_task = solve_task_of(task["request"])
    request = solve_task.request
    sessions = FrontSessions(task["front"])
    progress = Progress(lambda data: owner.tell(("status", data)))
    options = _options(request, settings, SessionClient(sessions, request.Session, owner.cancellation))
    engine = Engine(options, progress, owner.cancellation)
    try:
        owner.started()
        _announce_outlasting(engine, owner)
        progress.start()
        exporting.check(request)
        for name in solve_task.unexported:
            _fail_vertex(progress, f"exporting cache to {name}", "this daemon writes no caches of this type")
        imports = caches.Imports(request, engine, sessions, progress)
        imports((entry.Type, entry.Attrs) for entry in request.Cache.Imports)
        policies = policy_of(request, sessions)
        worker = worker_record(settings)
        gateway = make_gateway(
            engine,
            progress,
            enabled=settings.frontends,
            caller=_caller(request, worker),
            repositories=settings.repositories,
            policy=policies,
            imports=imports,
        )
        if request.Frontend or request.HasField("Definition"):
            result = gateway.solve(_request(request))
        else:
            inputs = {name: edge_of(definition) for name, definition in request.FrontendInputs.items()}
            result = _from_client(gateway.with_inputs(inputs), worker, task, owner)
        return exporting.export(request, result, gateway, sessions, progress)
    finally:
        engine.close()
        # The progress is last: the others may report to it until they are closed.
        sessions.close()
        progress.close()


def _announce_outlasting(engine: Engine, owner: Owner) -> None:
    """Once the task is cancelled, report from time to time that other workers wait for one of its steps."""

    def announce() -> None:
        # It ends with the worker's process.
        while True:
            time.sleep(OUTLASTING)
            if engine.outlasting:
                owner.tell(("outlasting",))

    owner.cancellation.on_cancel(threading.Thread(target=announce, daemon=True, name="outlasting").start)


def _options(request: SolveRequest, settings: Settings, client: SessionClient) -> EngineOptions:
    return EngineOptions(
        settings.root,
        client=client,
        pull=True,
        allow=grant(request.Entitlements, settings),
        parallelism=settings.parallelism,
        hosts=Hosts(RegistryConfig(host, **options) for host, options in settings.registries),
        outlasting=True,
        surroundings=Surroundings(
            isolate=settings.network == "bridge",
            host_network=settings.network == "host",
            dns=Dns(*settings.dns) if any(settings.dns) else None,
            cgroup_parent=settings.cgroup_parent,
            devices=settings.devices,
        ),
    )


def _request(request: SolveRequest) -> Request:
    """Return the request for the gateway. Raises DefinitionError."""
    return Request(
        edge=edge_of(request.Definition),
        frontend=request.Frontend,
        options=dict(request.FrontendAttrs),
        inputs={name: edge_of(definition) for name, definition in request.FrontendInputs.items()},
    )


def _caller(request: SolveRequest, worker: WorkerRecord) -> Caller:
    """Return what frontends may know of this daemon."""
    return Caller(request.Session, worker.ID, dict(worker.Labels), worker_platforms(worker))


def _from_client(gateway: Gateway, worker: WorkerRecord, task: Task, owner: Owner) -> Result:
    """Serve LLBBridge at the task's `bridge`; return the result of the frontend in the client. The socket lasts
    until the worker ends, as the front process may not have read all answers yet."""
    from pybuild.runtime.bridge import service

    served = service.serve(gateway, task["bridge"], worker=worker)
    try:
        owner.tell(("bridge",))
        return served.outcome.wait(owner.cancellation)
    finally:
        served.finish()
        owner.tell(("returned",))


def _fail_vertex(progress: Progress, name: str, why: str) -> None:
    try:
        with Tracked(progress, name):
            raise UserError(why)
    except UserError:
        pass
