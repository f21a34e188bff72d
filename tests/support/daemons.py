"""A pytest plugin: fixtures for BuildKit's protocol. Daemons, Docker's BuildKit, a registry, base images.

Imports gRPC when a test wants a daemon: most rooms don't.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from tests.differential.bases import Bases
from tests.support.dockerregistry import start_registry

if TYPE_CHECKING:
    from tests.daemon.client.control import Daemon
    from tests.daemon.client.running import Running


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`HOST:PORT` of a real registry on loopback, over plain HTTP."""
    if running := os.environ.get("PYBUILD_TEST_REGISTRY"):
        yield running
        return
    if shutil.which("docker-registry") is None:
        pytest.skip("needs docker-registry")
    host, process = start_registry(tmp_path_factory.mktemp("registry"))
    yield host
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Bases:
    """Base images by their config, in the registry and as layouts."""
    return Bases(tmp_path_factory.mktemp("bases"), registry)


@pytest.fixture(scope="session")
def base_reference(bases: Bases) -> str:
    """An image with busybox and a few files, in the registry."""
    return bases.reference()


@pytest.fixture(scope="session")
def base_layout(bases: Bases) -> Path:
    """The same as an OCI layout directory."""
    return bases.layout()


HOST_NETWORK = "network.host"
INSECURE = "security.insecure"
RUN = uuid.uuid4().hex
"""This run of tests: part of names that a daemon keeps."""


@pytest.fixture(scope="session")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A daemon for all tests of a process: what a test looks at must be its own. It leaves nothing at the end."""
    from tests.daemon.client.running import Running

    place = Path(tempfile.mkdtemp(prefix="pybuild-buildkitd-"))
    allowed = [word for name in (HOST_NETWORK, INSECURE) for word in ("--allow-insecure-entitlement", name)]
    with Running(place, *allowed) as running:
        yield running
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def daemon(shared_daemon: Running) -> Iterator[Daemon]:
    """A connection to the daemon that tests share, for a file of them."""
    with shared_daemon.connect() as connected:
        yield connected


StartDaemon = Callable[..., "Running"]


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[StartDaemon]:
    """Daemons of the test's own: `start_daemon(*flags, environment=…, config=TOML)`, stopped at its end."""
    from tests.daemon.client.running import Running

    with ExitStack() as stack:
        count = 0

        def start(*flags: str, **options: object) -> Running:
            nonlocal count
            count += 1
            place = tmp_path / f"daemon{count}"
            place.mkdir()
            return stack.enter_context(Running(place, *flags, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="module")
def docker() -> Iterator[Daemon]:
    """The BuildKit of the Docker daemon that the tests run with. Mark the test `docker`."""
    from tests.daemon.client.connect import docker_buildkit

    with docker_buildkit(os.environ["DOCKER_HOST"]) as connected:
        yield connected


@frozen
class Peer:
    """A daemon, and whether it is Docker's."""

    daemon: Daemon
    is_docker: bool


@pytest.fixture(scope="module")
def ours(daemon: Daemon) -> Peer:
    """pybuild's daemon alone, for what the Docker of tests is too old for."""
    return Peer(daemon, False)


@pytest.fixture(scope="module", params=["pybuild", pytest.param("docker", marks=pytest.mark.docker)])
def peer(request: pytest.FixtureRequest) -> Peer:
    """pybuild's daemon, then Docker's BuildKit: what a test says must be true of both."""
    kind = str(request.param)
    connected: Daemon = request.getfixturevalue("docker" if kind == "docker" else "daemon")
    return Peer(connected, kind == "docker")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a daemon, before `-m` chooses."""
    for item in items:
        if not {"shared_daemon", "start_daemon"}.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("daemon")
