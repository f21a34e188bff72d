from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.plugins.site import Site
from tests.support.fixtures import session_store as store

__all__ = ["store"]


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
