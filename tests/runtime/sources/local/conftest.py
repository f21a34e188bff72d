"""Local directories, and stat caches in a place of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

Open = Callable[..., LocalTree]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "context"
    path.mkdir()
    return path


@pytest.fixture
def opened(tmp_path: Path, root: Path) -> Open:
    def tree(
        at: Path = root, *, ignored: Sequence[str] = (), selected: Sequence[bytes] = (), cache: str = "cache"
    ) -> LocalTree:
        stats = StatCache(str(tmp_path / cache), os.fsencode(at))
        matcher = Matcher(ignored) if ignored else None
        return LocalTree(os.fsencode(at), stats, ignored=matcher, selected=selected)

    return tree
