from __future__ import annotations

from pathlib import Path

import pytest
from tests.runtime.ops.steps.steps import Bench, make_layout


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_layout(tmp_path_factory.mktemp("limits-base"))


@pytest.fixture
def bench(tmp_path: Path, layout: Path) -> Bench:
    return Bench(tmp_path, layout)
