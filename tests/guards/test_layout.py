from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.guards.imports import FOLDERS, FRONT, ROOT

import pybuild

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["tool"]["hatch"]["build"]
FRONT_FILES = sorted(
    path.name
    for path in FRONT.iterdir()
    if not path.is_symlink() and (path.is_file() or (path / "__init__.py").exists())
)
"""Files of the front door and its own packages."""


def tracked() -> list[Path]:
    """Files of the repository, or of the tree where there is no repository."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        return [ROOT / name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]
    return [path for folder in (*FOLDERS, "src", "tests", "docs") for path in (ROOT / folder).rglob("*.*")]


TEXTS = [
    path
    for path in tracked()
    if path.suffix in (".py", ".md", ".toml", ".sh", "") and path.stat().st_size < 1 << 20
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders_are_relative_links(folder: str) -> None:
    assert os.readlink(FRONT / folder) == f"../../{folder}"


@pytest.mark.parametrize("target", ["sdist", "wheel"])
def test_every_front_door_file_is_named(target: str) -> None:
    """Hatchling's walker visits each inode once, so that a directory would be found under one of its names."""
    listed = BUILD["targets"][target]["only-include"]
    named = {name.removeprefix("src/pybuild/") for name in listed if name.startswith("src/pybuild/")}
    assert named == set(FRONT_FILES)
    assert set(FOLDERS) <= set(listed)
    assert len(listed) == len(set(listed))


def test_the_lists_agree() -> None:
    sdist = set(BUILD["targets"]["sdist"]["only-include"])
    assert sdist - {"examples"} == set(BUILD["targets"]["wheel"]["only-include"])


def test_the_wheels_names() -> None:
    sources = BUILD["targets"]["wheel"]["sources"]
    assert sources == {"src/pybuild": "pybuild", **{folder: f"pybuild/{folder}" for folder in FOLDERS}}


def test_tests_are_no_package_and_not_distributed() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
    assert not [name for name in BUILD["targets"]["sdist"]["only-include"] if name.startswith("tests")]


def test_every_folder_of_modules_is_a_package() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_public_surface() -> None:
    assert list(pybuild.__all__) == sorted(pybuild.__all__)
    for name in pybuild.__all__:
        assert getattr(pybuild, name) is not None
    public = {name for name in vars(pybuild) if not name.startswith("_")}
    own = {name for name in public if getattr(getattr(pybuild, name), "__module__", "") == "pybuild"}
    assert own <= set(pybuild.__all__)


def test_one_version() -> None:
    assert pybuild.__version__ == PROJECT["project"]["version"]


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK|placeholder|not implemented yet)\b")


def test_nothing_is_left_to_do() -> None:
    found = []
    for path in TEXTS:
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in UNFINISHED.finditer(text)]
    assert not found


def test_no_large_files() -> None:
    """Nothing that a build or a test left behind is part of the repository."""
    assert not [str(path.relative_to(ROOT)) for path in tracked() if path.stat().st_size > 1 << 20]


def test_files_are_of_a_readable_length() -> None:
    longest = 500
    long = {
        str(path.relative_to(ROOT)): count
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if (count := len(path.read_bytes().splitlines())) > longest
    }
    assert not long
