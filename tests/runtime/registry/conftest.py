from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.registry.behaving import Registry

from pybuild.runtime.content.store import Store
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.credentials import Credentials
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig
from pybuild.runtime.registry.transport import Transport


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store")) as opened:
        yield opened


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

    def make(*configs: RegistryConfig, auth: str = "", **environ: str) -> Client:
        home = tmp_path / f"home{len(made)}"
        (home / ".docker").mkdir(parents=True)
        if auth:
            (home / ".docker" / "config.json").write_text(auth)
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], **environ}
        hosts = Hosts(configs)
        transport = Transport(hosts, environ=environment, certificates=[], first_pause=0.01)
        client = Client(hosts, Credentials(environment), transport=transport)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client()


def start_registry(directory: Path, extra: str = "") -> tuple[str, subprocess.Popen[bytes]]:
    """A docker-registry process on a free loopback port: (host, process)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = directory / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: {host!r}}}\n{extra}"
    )
    log = (directory / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    log.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(tuple(host.split(":")), 1):  # type: ignore[arg-type]
                return host, process
        except OSError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError((directory / "log").read_text())


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`HOST:PORT` of a real registry, shared by the session's tests: each uses its own repositories."""
    if shutil.which("docker-registry") is None:
        pytest.skip("docker-registry is not installed")
    host, process = start_registry(tmp_path_factory.mktemp("docker-registry"))
    yield host
    process.terminate()
    process.wait()
