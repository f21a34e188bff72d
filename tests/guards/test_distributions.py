"""The wheel and the source distribution hold every module and nothing of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.guards.imports import FRONT, ROOT, modules


def build(target: str, directory: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(directory)],
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    (made,) = directory.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


def test_the_wheel_has_every_module(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for module, path in modules().items():
        name = module.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        assert name in names
    schemas = {"compiler/graph.schema.json", "compiler/recipe.schema.json", "cli/list.schema.json"}
    assert {"pybuild/py.typed", *(f"pybuild/{name}" for name in schemas)} <= names
    assert not [name for name in names if not name.startswith(("pybuild/", "pybuildkit-"))]


def test_the_sdist_has_every_module_and_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for path in modules().values():
        assert str(path.relative_to(ROOT)) in names
    assert {"pyproject.toml", "README.md", "LICENSE", "examples/hello/Dockerfile"} <= names
    assert not [name for name in names if name.startswith("tests")]
    assert len([name for name in names if name.endswith("source.py")]) == len(
        {path for path in modules().values() if path.name.endswith("source.py")}
    )


def test_the_wheel_imports_on_its_own(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", "import pybuild.runtime.sources.host as m; print(m.__file__)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()
    assert found == str(tmp_path / "pybuild" / "runtime" / "sources" / "host.py")
    assert FRONT not in Path(found).parents
