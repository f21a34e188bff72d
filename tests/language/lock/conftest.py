from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.language.lock.outside import Outside
from tests.language.project import Project
from tests.runtime.registry.behaving import Registry
from tests.runtime.sources.remote.conftest import Repositories
from tests.runtime.sources.remote.webserver import Web, smart_git


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """Servers for git, files and images, on the loopback."""
    repositories = Repositories(tmp_path)
    git, files, registry = Web(), Web(), Registry()
    git.rules.append(smart_git(repositories.root))
    yield Outside(repositories, git, files, registry)
    for server in (git, files, registry):
        server.close()


@pytest.fixture
def project(tmp_path: Path, package: Path, base: Path) -> Project:
    """A project with a store of its own: what is known of the outside must be its own."""
    return Project(tmp_path, tmp_path / "store", package, base)
