"""An ordinary user's programs: the same, in a user namespace of the worker's."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.user]

PROGRAM = """
import os, sys
from pybuild.builder import Builder
base, project = sys.argv[1:]
with Builder(project, root=project + "/store", build_contexts={"base": "oci-layout://" + base}) as builder:
    result = builder.build(secrets={"key": b"of bytes"}, outputs="tree")
    print(result.read_text("/owned").strip(), *[(e.uid, oct(e.mode)) for e in result.walk("/") if e.path == "/owned"])
    print(builder.run(result, "id -u; cat /owned").text.split())
print(os.getuid(), os.stat("tree/owned").st_uid == os.getuid())
"""
DOCKERFILE = """\
FROM base
RUN --mount=type=secret,id=key cat /run/secrets/key >/owned; chown 1234 /owned; chmod 400 /owned
"""


@pytest.fixture
def directory(ordinary_user: int) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="pybuild-embed-"))
    (path / "Dockerfile").write_text(DOCKERFILE)
    os.chown(path, ordinary_user, -1)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_program_of_an_ordinary_user(directory: Path, base: Path, ordinary_user: int) -> None:
    ids = [f"--reuid={ordinary_user}", f"--regid={pwd.getpwuid(ordinary_user).pw_gid}", "--clear-groups"]
    command = ["setpriv", *ids]
    # The interpreter of the tests may lie in a directory of root's, where it could not start another.
    python = shutil.copy2(os.path.realpath(sys.executable), directory / "python")
    source = Path(__file__).parents[2] / "src"
    path = os.pathsep.join([str(source), *(one for one in sys.path if one.endswith("site-packages"))])
    done = subprocess.run(
        [*command, python, "-c", PROGRAM, str(base), str(directory)],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "of bytes (1234, '0o400')",
        "['0', 'of', 'bytes']",
        f"{ordinary_user} True",
    ]
