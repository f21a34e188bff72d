"""The same code for an ordinary user in a user namespace, whose numbers are the host's sub-ids."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.user]

USER = 61234
"""A host's number that needs no account: what counts is that it has no privileges."""

# Enters the namespace as a builder does, then makes, mounts, reads and removes snapshots.
INSIDE = r"""
import ctypes, os, stat, sys
assert os.geteuid() != 0
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000 | 0x20000):
    print("refused", os.strerror(ctypes.get_errno()), flush=True)
    sys.exit()
print("ready", flush=True)
sys.stdin.readline()  # the maps are written
os.setgid(0); os.setuid(0)

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.choose import choose
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.removal import remove_tree
from tests.runtime.snapshots.states import CAPABILITY, DirectWriter, UpperWriter, apply, in_tree, on_disk

LAYERS = [
    [("directory", b"d", b""), ("write", b"d/a", b"1"), ("write", b"d/b", b"2"), ("chown", b"d/b", b""),
     ("directory", b"e", b""), ("write", b"e/x", b"3"), ("capability", b"d/a", b""), ("symlink", b"l", b"d/a")],
    [("remove", b"d/a", b""), ("emptied", b"e", b""), ("append", b"d/b", b"+"), ("chown", b"d", b""),
     ("attribute", b"d/b", b"note"), ("pipe", b"e/p", b"")],
    [("write", b"d/a", b"4"), ("remove", b"e", b""), ("link", b"d/b", b""), ("chmod", b"d/b2", b"")],
]
with Store.open(sys.argv[1]) as store:
    snapshotter = choose(store)
    assert snapshotter.name == "overlay-user", snapshotter.name
    plain = CopySnapshotter(store)
    one = two = three = None
    for steps in LAYERS:
        active = snapshotter.prepare(one)
        with active.mount() as root:
            for step in steps:
                apply(DirectWriter(root), step)
            shown = on_disk(root)
        one = active.commit()
        active = snapshotter.prepare(two)
        for step in steps:
            apply(UpperWriter(snapshotter, active), step)
        two = active.commit()
        active = plain.prepare(three)
        with active.mount() as root:
            for step in steps:
                apply(DirectWriter(root), step)
        three = active.commit()
        state = in_tree(snapshotter.tree(one))
        assert state == shown == in_tree(snapshotter.tree(two)) == in_tree(plain.tree(three))
        with snapshotter.mount(two) as root:
            assert on_disk(root) == state
        assert snapshotter.identity(one) == snapshotter.identity(two)
    assert state[b"d/b"].owner == (1234, 4321)
    assert dict(in_tree(snapshotter.tree(snapshotter.chain(one)[0]))[b"d/a"].attributes) == {
        "security.capability": CAPABILITY
    }
    kept = os.lstat(os.path.join(snapshotter.tree(one).layers[0], b"e"))
    assert stat.S_ISCHR(kept.st_mode)
    chain = snapshotter.chain(two)
    assert snapshotter.remove(chain) == chain[::-1]
    for _ in range(600):
        active = snapshotter.prepare(one)
        one = active.commit()
    with snapshotter.mount(one) as root:
        assert on_disk(root) == state
print("done", flush=True)
"""


def interpreter() -> str | None:
    """A Python that an ordinary user may run, 3.11 at least."""
    for path in (sys.executable, "/usr/bin/python3"):
        real = os.path.realpath(path)
        directories = [os.path.dirname(real)]
        while directories[-1] != "/":
            directories.append(os.path.dirname(directories[-1]))
        if os.path.exists(real) and all(os.stat(each).st_mode & stat.S_IXOTH for each in directories):
            said = subprocess.run(
                [path, "-c", "import sys, sqlite3; print(sys.version_info >= (3, 11))"],
                capture_output=True,
                text=True,
                check=False,
            )
            if said.stdout == "True\n":
                return path
    return None


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="pybuild-user-"))
    directory.chmod(0o755)
    (directory / "store").mkdir()
    os.chown(directory / "store", USER, USER)
    yield directory
    shutil.rmtree(directory)


def test_snapshots_in_a_user_namespace(place: Path) -> None:
    python = interpreter()
    if python is None:
        pytest.skip("needs a Python that an ordinary user may run")
    here = Path(__file__).resolve().parents[3]
    child = subprocess.Popen(
        [python, "-c", INSIDE, str(place / "store")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=USER,
        group=USER,
        extra_groups=[],
        env={
            "PYTHONPATH": f"{here / 'src'}:{here}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": os.environ["PATH"],
        },
        cwd="/",
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        said = child.stdout.readline()
        if not said.startswith("ready"):
            out, error = child.communicate()
            if said.startswith("refused"):
                pytest.skip(f"needs user namespaces: {said}")
            pytest.fail(said + out + error)
        for kind in ("uid", "gid"):
            (Path("/proc") / str(child.pid) / f"{kind}_map").write_text(f"0 {USER} 1\n1 200000 65535\n")
        out, error = child.communicate("\n", timeout=60)
        assert (out, error, child.returncode) == ("done\n", "", 0)
