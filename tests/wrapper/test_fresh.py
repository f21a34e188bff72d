"""README command one on a fresh checkout, by root and by an ordinary user who can't write it: one image digest."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("lang", "compiler", "runtime", "stdlib", "src", "examples")
FILES = ("pybuildw", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A checkout in a place that everyone can read and only root can write."""
    with tempfile.TemporaryDirectory(prefix="pybuild-checkout-") as name:
        directory = Path(name)
        for part in PARTS:
            shutil.copytree(
                ROOT / part, directory / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        for file in FILES:
            shutil.copy(ROOT / file, directory)
        for path in (directory, *directory.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.name == "pybuildw" else 0o644)
        yield directory


def as_user(uid: int, home: Path, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    entry = pwd.getpwuid(uid)
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "LANG", "SSL_"))
    }
    environment |= {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "USER": entry.pw_name}
    return subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={entry.pw_gid}", "--init-groups", *command],
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.root
@pytest.mark.crun
@pytest.mark.user
def test_root_and_a_user_get_the_same_digest(checkout: Path, ordinary_user: int, tmp_path: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="pybuild-home-"))
    try:
        os.chown(home, ordinary_user, pwd.getpwuid(ordinary_user).pw_gid)
        wrapper = str(checkout / "pybuildw")
        first = as_user(ordinary_user, home, wrapper, "build", "-q", "examples/hello", cwd=checkout)
        assert first.returncode == 0, first.stderr
        digest = first.stdout.strip()
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
        assert "installing into" in first.stderr
        assert not (checkout / ".venv").exists()

        again = as_user(ordinary_user, home, wrapper, "build", "-q", "examples/hello", cwd=checkout)
        assert again.stdout.strip() == digest
        assert "installing" not in again.stderr

        root = subprocess.run(
            [sys.executable, "-m", "pybuild", "build", "-q", "examples/hello"],
            env={**os.environ, "PYBUILD_ROOT": str(tmp_path / "store")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert root.stdout.strip() == digest

        pruned = as_user(ordinary_user, home, wrapper, "prune", "--all", "--force", cwd=checkout)
        assert pruned.returncode == 0, pruned.stderr
        left = [path for path in home.rglob("*") if path.lstat().st_uid != ordinary_user]
        assert left == []
    finally:
        shutil.rmtree(home)
