"""What patterns leave out of a local source: excluded, or not included."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybuild.runtime.sources.leftout import left_out
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

FILES = ("a.txt", "b.bin", "d/a.txt", "d/b.bin", "d/e/c.txt", "empty/", "other/x", "d/skip/y.txt")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(name)
    return tmp_path / "root"


def kept(root: Path, excludes: list[str], includes: list[str]) -> list[str]:
    cache = StatCache(str(root.parent / "stat"), bytes(root))
    tree = LocalTree(bytes(root), cache, ignored=left_out(excludes, includes))
    return [node.path.decode() for node in tree.walk(b"")]


@pytest.mark.parametrize(
    ("excludes", "includes", "names"),
    [
        ([], ["a.txt"], ["a.txt"]),
        ([], ["**/a.txt"], ["a.txt", "d", "d/a.txt"]),
        ([], ["d"], ["d", "d/a.txt", "d/b.bin", "d/e", "d/e/c.txt", "d/skip", "d/skip/y.txt"]),
        (["d/skip"], ["d"], ["d", "d/a.txt", "d/b.bin", "d/e", "d/e/c.txt"]),
        (["**/*.txt"], ["**/*.txt"], []),
        (["d/e"], ["d/e/c.txt"], []),
        (["d", "!d/e"], ["**/*.txt"], ["a.txt", "d", "d/e", "d/e/c.txt"]),
        (["d", "!d/b.bin"], ["**/*.txt"], ["a.txt"]),
        ([], ["d", "!d/skip", "!d/e"], ["d", "d/a.txt", "d/b.bin"]),
        ([], ["empty"], ["empty"]),
        ([], ["nothing"], []),
    ],
)
def test_what_is_left(root: Path, excludes: list[str], includes: list[str], names: list[str]) -> None:
    assert kept(root, excludes, includes) == names


def test_no_patterns_leave_out_nothing() -> None:
    assert left_out([], []) is None
