from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.registry.behaving import Registry
from tests.support.fixtures import own_store as store

from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.credentials import Credentials
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig
from pybuild.runtime.registry.transport import Transport
from pybuild.runtime.registry.waiting import Patience

__all__ = ["store"]


@pytest.fixture
def behaving() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def second() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


MakeClient = Callable[..., Client]


@pytest.fixture
def make_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeClient]:
    """Clients with their own home and short pauses: `make_client(*configs, auth=…)`, `auth` the text of a
    Docker config file."""
    from pybuild.runtime.registry import download, upload

    monkeypatch.setattr(download, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(upload, "FIRST_PAUSE", 0.01)
    made: list[Client] = []

    def make(
        *configs: RegistryConfig,
        auth: str = "",
        patience: Patience | None = None,
        tell: Callable[[str], None] | None = None,
        **environ: str,
    ) -> Client:
        home = tmp_path / f"home{len(made)}"
        (home / ".docker").mkdir(parents=True)
        if auth:
            (home / ".docker" / "config.json").write_text(auth)
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], **environ}
        hosts = Hosts(configs)
        transport = Transport(
            hosts, environ=environment, certificates=[], first_pause=0.01, patience=patience, tell=tell
        )
        client = Client(hosts, Credentials(environment), transport=transport)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()
