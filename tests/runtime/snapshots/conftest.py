"""Stores to make snapshots in. Whatever the tests mount is in a mount namespace of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pybuild.runtime.content.store import Store


@pytest.fixture(autouse=True)
def _root_only(mounts_of_root: None) -> None:
    """For all tests of this folder."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(str(tmp_path / "store")) as opened:
        yield opened
        left = [line for line in open_mounts() if str(tmp_path) in line]
        assert not left, left


def open_mounts() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return file.readlines()
