"""Open the engine of a request."""

from __future__ import annotations

from contextlib import contextmanager

from pybuild.frontends.types import GraphNames
from pybuild.runtime.content.place import default_root
from pybuild.runtime.engine import Engine, EngineOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from pybuild.frontends.types import Frontend
    from pybuild.language.compiled import Compiled
    from pybuild.request.request import BuildRequest
    from pybuild.runtime.bridge.gateway import Gateway
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.registry.hosts import Hosts
    from pybuild.runtime.solver.types import Cancellation

    T = TypeVar("T")


@contextmanager
def open_engine(
    request: BuildRequest,
    names: GraphNames,
    observer: Observer,
    cancellation: Cancellation,
    *,
    enter: bool = True,
) -> Iterator[Engine]:
    """Open the engine of a request, and close it on leaving. Raises UserError.

    It enters the build's namespaces unless `enter` is False, when nothing can be run: in the main thread, before the
    process has another one.
    """
    from pybuild.runtime.clients.localclient import LocalClient
    from pybuild.runtime.session import agents, secrets

    client = LocalClient(
        directories=names.directories,
        named=names.images,
        secrets=[secrets.parse(text) for text in request.secrets],
        agents=agents.parse_all(request.ssh),
    )
    options = EngineOptions(
        default_root(),
        client=client,
        pull=request.pull,
        allow=frozenset(request.allow),
        isolate=request.isolate_network,
        parallelism=request.parallelism,
        hosts=_hosts(request),
        project=names.owner,
    )
    engine = Engine(options, observer, cancellation, enter=enter)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def open_gateway(
    frontend: Frontend,
    request: BuildRequest,
    observer: Observer,
    cancellation: Cancellation,
    *,
    enter: bool = True,
) -> Iterator[Gateway]:
    """Open the engine of a frontend's build, and the gateway through which the frontend asks it. See
    `open_engine`."""
    from pybuild.frontends.gateway import make_gateway

    names = frontend.begin(enter=enter)
    with open_engine(request, names, observer, cancellation, enter=enter) as engine:
        yield make_gateway(engine, observer)


def with_modules(compiled: Compiled, request: BuildRequest, work: Callable[[], T]) -> T:
    """Return the result of `work`. If a module of the file has to be fetched for it, an engine is open
    meanwhile."""
    from pybuild.language.remotemodules import NeedsEngine
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.solver.types import Cancellation

    try:
        return work()
    except NeedsEngine:
        pass
    with open_engine(request, GraphNames(), Observer(), Cancellation()) as engine:
        compiled.fetch_with(engine, locked=request.locked)
        return work()


def _hosts(request: BuildRequest) -> Hosts | None:
    """Return the registries of the user's configuration."""
    if not request.registries:
        return None
    from pybuild.runtime.registry.hosts import Hosts, RegistryConfig

    return Hosts([RegistryConfig(host, **settings) for host, settings in request.registries.items()])
