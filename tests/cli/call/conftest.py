"""The command line in an empty directory with a store of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli import conftest as cli

Run = Callable[..., tuple[int, str, str]]

pybuild = cli.pybuild


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYBUILD_ROOT", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("BUILDKIT_PROGRESS", "NO_COLOR", "PYBUILD_DEBUG", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    return work


@pytest.fixture
def call(place: Path, pybuild: Run) -> Run:
    """`pybuild build --call=METHOD` of a text, without progress."""

    def run(method: str, text: str, *arguments: str) -> tuple[int, str, str]:
        (place / "Dockerfile").write_text(text, encoding="utf-8", errors="surrogateescape")
        return pybuild("build", f"--call={method}", "--progress=quiet", *arguments)

    return run
