"""A pytest plugin: fixtures of many rooms. A base image, the program, servers, mounts of the tests' own, stores.

Rooms share their stores for different times: a `conftest.py` imports the fixture of the one it wants as `store`.
"""

from __future__ import annotations

import compileall
import fcntl
import itertools
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.runtime.sources.remote.webserver import Web
from tests.support.dockerregistry import start_registry
from tests.support.needs import lacks_programs, lacks_root

import pybuild
from pybuild.runtime.content.store import Store

USER = "pybuild-test"
_NUMBERS = itertools.count()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of the test's own. pytest's reads the names of all directories of the run to find a free one,
    which takes longer with each test."""
    name = re.sub(r"\W", "_", request.node.name)[:24]
    path = tmp_path_factory.getbasetemp() / f"{name}-{next(_NUMBERS)}"
    path.mkdir(0o700)
    return path


@pytest.fixture(scope="session")
def ordinary_user() -> int:
    """uid of an ordinary user with sub-ids; made once, whichever process is the first to ask."""
    reason = lacks_root() or lacks_programs("useradd", "newuidmap")
    if reason:
        pytest.skip(reason)
    with open(os.path.join(tempfile.gettempdir(), f"{USER}.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return pwd.getpwnam(USER).pw_uid
        except KeyError:
            subprocess.run(["useradd", "--create-home", USER], check=True, capture_output=True)
            return pwd.getpwnam(USER).pw_uid


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """An OCI layout of busybox and a few files, readable by all users."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-base-"))
    directory.chmod(0o755)
    write_layout(directory / "layout", busybox_layer(), json.loads(PLAIN))
    yield directory / "layout"
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a copy of the program, which nobody edits while the tests run."""
    path = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(pybuild.__file__).parent, path / "pybuild")
    compileall.compile_dir(path, quiet=2)  # what isn't compiled yet
    return path


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`HOST:PORT` of a real registry, shared by the session's tests: each uses its own repositories."""
    if reason := lacks_programs("docker-registry"):
        pytest.skip(reason)
    host, process = start_registry(tmp_path_factory.mktemp("docker-registry"))
    yield host
    process.terminate()
    process.wait()


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server on the loopback, whose answers the test writes."""
    server = Web()
    yield server
    server.close()


@pytest.fixture(scope="session")
def private_mounts() -> None:
    """Moves the test process into a mount namespace of its own, for the rest of its life."""
    from pybuild.runtime.snapshots.mounts import unshare_mounts

    unshare_mounts()


@pytest.fixture
def mounts_of_root(request: pytest.FixtureRequest) -> None:
    """What a room of tests that mount uses for all of them: those marked `root` get `private_mounts`."""
    if request.node.get_closest_marker("root") is not None:
        if os.geteuid() != 0:
            pytest.skip("needs the root user")
        request.getfixturevalue("private_mounts")


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own, opened in this process."""
    with Store.open(str(tmp_path / "store")) as opened:
        yield opened


@pytest.fixture(scope="session")
def session_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a store that a room's tests share: what a test runs must be its own where it matters."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a store that the tests of a file share."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)
