"""The command line with a build that records what it was asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pybuild.build import errors
from pybuild.build.execute import BuildResult, ExportedGoal
from pybuild.cli.commands import main
from pybuild.request.request import BuildRequest

DIGEST = "sha256:" + "ab" * 32


class Recorder:
    """Stands for `pybuild.build.pipeline.build`: keeps the requests, and does what `act` says."""

    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []
        made = ExportedGoal(
            digest=DIGEST, iid=DIGEST, metadata={"b": 1, "a": "é"}, summary=("image " + DIGEST,)
        )
        self.result = BuildResult((made,))
        self.act: Callable[[], None] = lambda: None

    def __call__(self, request: BuildRequest, observer: object, cancellation: object) -> BuildResult:
        self.requests.append(request)
        self.act()
        return self.result

    @property
    def request(self) -> BuildRequest:
        (one,) = self.requests
        return one


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    one = Recorder()
    monkeypatch.setattr("pybuild.build.pipeline.build", one)
    return one


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory without configuration around it."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYBUILD_ROOT", str(tmp_path / "store"))
    for name in ("BUILDKIT_PROGRESS", "NO_COLOR", "PYBUILD_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    return work


@pytest.fixture
def pybuild(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: code, standard output, standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(list(arguments))
        except BaseException as error:
            code = errors.report(error, sys.stderr)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def write(path: Path, text: str) -> Path:
    os.makedirs(path.parent, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
