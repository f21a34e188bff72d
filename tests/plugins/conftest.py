from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.e2e.building import Builder
from tests.plugins.site import Site


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """An OCI layout of busybox and a few files, readable by all users."""
    directory = Path(tempfile.mkdtemp(prefix="pybuild-base-"))
    directory.chmod(0o755)
    write_layout(directory / "layout", busybox_layer(), json.loads(PLAIN))
    yield directory / "layout"
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the session's tests share."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def installed(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that this process finds packages in."""
    monkeypatch.syspath_prepend(str(site.path))
    return site


@pytest.fixture
def builder(tmp_path: Path, base: Path, store: Path, site: Site) -> Builder:
    """A builder that finds the site's packages."""
    return Builder(tmp_path, base, root=store, environment={"PYTHONPATH": str(site.path)})
