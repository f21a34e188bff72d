"""Pushing the image of an output, with the registries and the logins of a build."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.reference import Reference
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.export.build import Push
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.registry.client import Client


def pusher(engine: Engine) -> Push:
    """Return the function that pushes images of this engine's build to the registries of their names."""

    def bring(image: Image, name: Reference, *, insecure: bool, by_digest: bool, tracked: Tracked) -> None:
        from pybuild.runtime.registry.push import push
        from pybuild.runtime.registry.transfer import Transfer

        client, close = client_for(engine, name, insecure=insecure)
        try:
            transfer = Transfer(tracked, engine.cancellation)
            push(client, engine.store, image.target, name, transfer, by_digest=by_digest)
        finally:
            close()

    return bring


def client_for(engine: Engine, name: Reference, *, insecure: bool) -> tuple[Client, Callable[[], None]]:
    """Return the client for the registry of a name, which may be `insecure`, and the function that closes
    it."""
    if not insecure:
        return engine.images.client(), _nothing
    from pybuild.runtime.registry.client import Client
    from pybuild.runtime.registry.hosts import Hosts, RegistryConfig

    hosts = Hosts([RegistryConfig(name.domain, insecure=True)])
    client = Client(hosts, engine.client.credentials, tell=engine.observer.waiting)
    return client, client.close


def _nothing() -> None:
    pass
