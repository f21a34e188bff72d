from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import builder
from tests.runtime.registry.behaving import Registry
from tests.support.standins.images import serve

IMAGES = ("library/base:latest", "astral-sh/uv:0.5", "astral-sh/uv:0.4.30")

__all__ = ["builder"]


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The test's own registry, with the stand-in image under the names of IMAGES."""
    serving = Registry()
    serve(serving, tmp_path_factory.mktemp("images"), IMAGES)
    yield serving
    serving.close()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For builders that live as long as the session."""
    return tmp_path_factory.mktemp("builders")
