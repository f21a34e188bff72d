from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.bases import PLAIN, busybox_layer, write_layout


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OCI layout of busybox and a few files."""
    path = tmp_path_factory.mktemp("base") / "layout"
    write_layout(path, busybox_layer(), json.loads(PLAIN))
    return path


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that the session's comparisons share."""
    path = tmp_path_factory.mktemp("store")
    yield path
    shutil.rmtree(path, ignore_errors=True)
