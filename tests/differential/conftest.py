from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import Bases
from tests.differential.builders import Builders
from tests.differential.website import Website


@pytest.fixture(scope="session")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builders]:
    """Both builders, with the daemon of `DOCKER_HOST` and the registry of `PYBUILD_TEST_REGISTRY`."""
    host, registry = os.environ.get("DOCKER_HOST"), os.environ.get("PYBUILD_TEST_REGISTRY")
    if not host or not registry:
        pytest.skip("DOCKER_HOST and PYBUILD_TEST_REGISTRY are not set; ./test sets them")
    directory = tmp_path_factory.mktemp("differential")
    with Website(directory / "site") as site:
        yield Builders(
            bases=Bases(directory, registry), site=site, store=directory / "store", docker_host=host
        )
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Path]:
    """A directory for one case, gone after it."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)
