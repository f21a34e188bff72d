"""Started without standard streams, as by a daemon or `>&-`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long


def run(script: str, place: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYBUILD_ROOT": str(place / "store"), "HOME": str(place)}
    command = f'"{sys.executable}" -m pybuild {script}'
    return subprocess.run(
        ["sh", "-c", command], env=environment, cwd=place, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["version", "build --call=targets .", "check .", "build -q ."])
def test_closed(tmp_path: Path, words: str, closed: str) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS one\nCOPY Dockerfile /\n")
    done = run(f"{words} {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


def test_nothing_is_written_into_files(tmp_path: Path) -> None:
    """The numbers of closed streams are not given to files of the store."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    assert run("build --progress=plain -t one . >&- 2>&-", tmp_path).returncode == 0
    assert run("build -q .", tmp_path).stdout.startswith(b"sha256:")
    for file in (tmp_path / "store").rglob("*"):
        assert file.is_dir() or b"load build definition" not in file.read_bytes()[:200], file
