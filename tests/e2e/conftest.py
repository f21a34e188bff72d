from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.support.dockerregistry import start_registry


@pytest.fixture
def builder(tmp_path: Path, base: Path) -> Iterator[Builder]:
    """A builder with an empty store, as the user who runs the tests."""
    yield Builder(tmp_path, base)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def user_builder(ordinary_user: int, base: Path) -> Iterator[Builder]:
    """A builder with an empty store, as an ordinary user."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-e2e-"))
    directory.chmod(0o755)
    os.chown(directory, ordinary_user, -1)
    yield Builder(directory, base, uid=ordinary_user)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def guarded_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`HOST:PORT` of a registry that wants a name and a password."""
    directory = tmp_path_factory.mktemp("guarded-registry")
    # The password is "secret", by bcrypt of cost 4: known to nobody but this test.
    (directory / "htpasswd").write_text("user:$2b$04$LXSAfGl9xKCUjeROZwYS2uoPlLRO8c1mMzyy1cUKgqKmvNbcQ6bSu\n")
    extra = f"auth: {{htpasswd: {{realm: tests, path: {directory}/htpasswd}}}}\n"
    host, process = start_registry(directory, extra)
    yield host
    process.terminate()
    process.wait()
