"""Sources on a store in a directory of the test's own, in this process; and whole engines in processes of theirs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.cache import conftest as cache
from tests.runtime.sources.remote.webserver import Web, smart_git

from pybuild.compiler.ops import SourceOp
from pybuild.compiler.state import State
from pybuild.runtime.content.store import Store
from pybuild.runtime.registry.hosts import Hosts
from pybuild.runtime.registry.transport import Transport
from pybuild.runtime.session.types import Agents, Secrets
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.removal import remove_tree
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.git import GitSource
from pybuild.runtime.sources.http import HttpSource


@pytest.fixture
def other() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


class Given(Secrets, Agents):
    """What a client gives, and what it was asked for."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.sockets: dict[str, str] = {}
        self.asked: list[str] = []

    def get(self, id: str) -> bytes | None:
        self.asked.append(id)
        return self.values.get(id)

    def socket(self, id: str) -> str | None:
        return self.sockets.get(id)

    def raw(self, id: str) -> bool:
        return False

    def missing(self, id: str) -> str:
        return f"no agent {id}"


class Place:
    """A store with its sources. `again` is the next build on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.given = Given()
        self.cancellation = Cancellation()
        self.environ: dict[str, str] = {}
        self.notices: list[str] = []
        self._open()

    def _open(self) -> None:
        self.store = Store.open(str(self.directory / "store"))
        self.snapshotter = OverlaySnapshotter(self.store)
        transport = Transport(Hosts(), environ=self.environ, certificates=(), first_pause=0.01, web=True)
        self.http = HttpSource(self.store, self.snapshotter, self.given, self.notices.append, transport)
        self.git = GitSource(self.store, self.snapshotter, self.given, self.given, self.notices.append)

    def close(self) -> None:
        self.http.close()
        self.snapshotter.close()
        self.store.clear(remove_tree)
        self.store.close()

    def again(self) -> Place:
        self.close()
        self._open()
        return self

    def tree(self, snapshot: int) -> dict[str, tuple[int, bytes]]:
        """Mode with type, and content: bytes of files, targets of links."""
        found = {}
        for node in self.snapshotter.tree(snapshot).walk(b""):
            kind = node.stat.st_mode & 0o170000
            if kind == 0o100000:
                content = Path(os.fsdecode(node.real)).read_bytes()
            else:
                content = os.readlink(os.fsencode(node.real)) if kind == 0o120000 else b""
            found[os.fsdecode(node.path)] = (node.stat.st_mode, content)
        return found

    def files(self, snapshot: int) -> dict[str, bytes]:
        """Content of the files alone, without those of `.git`."""
        return {
            path: content
            for path, (mode, content) in self.tree(snapshot).items()
            if mode & 0o170000 == 0o100000 and not path.startswith(".git/")
        }

    def real(self, snapshot: int, path: str) -> Path:
        node = self.snapshotter.tree(snapshot).lstat(os.fsencode(path))
        assert node is not None
        return Path(os.fsdecode(node.real))

    def download(self, op: SourceOp) -> int:
        return self.http.snapshot(op, self.cancellation)

    def fetch(self, op: SourceOp) -> int:
        return self.git.snapshot(op, self.cancellation)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    made = Place(tmp_path)
    yield made
    made.close()


def http(url: str, **settings: Any) -> SourceOp:
    return _op(State.http(url, **settings))


def git(remote: str, ref: str = "", **settings: Any) -> SourceOp:
    return _op(State.git(remote, ref, **settings))


def _op(state: State) -> SourceOp:
    assert state.edge is not None
    op = state.edge.vertex.op
    assert isinstance(op, SourceOp)
    return op


class Repositories:
    """Bare repositories in `root`, filled through work trees beside it. Times and names are fixed."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "repositories"
        self.work = directory / "work"
        self.root.mkdir()
        self.work.mkdir()

    def run(self, directory: Path, *arguments: str) -> str:
        fixed = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.work),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.com",
            "GIT_AUTHOR_DATE": "1600000000 +0000", "GIT_COMMITTER_DATE": "1600000001 +0000",
        }  # fmt: skip
        options = ["-c", "safe.directory=*", "-c", "protocol.file.allow=always"]
        done = subprocess.run(
            ["git", *options, *arguments],
            cwd=directory,
            env=fixed,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make(self, name: str, files: Mapping[str, str], format: str = "sha1") -> str:
        """A repository with one commit on main; its hash."""
        tree = self.work / name
        tree.mkdir()
        self.run(tree, "init", "-q", "-b", "main", f"--object-format={format}")
        self.run(self.root, "init", "-q", "--bare", "-b", "main", f"--object-format={format}", f"{name}.git")
        self.run(tree, "remote", "add", "origin", str(self.root / f"{name}.git"))
        return self.commit(name, files)

    def commit(self, name: str, files: Mapping[str, str], branch: str = "main") -> str:
        """Write, commit and push on a branch, made where the work tree is; the commit's hash."""
        tree = self.work / name
        for path, text in files.items():
            file = tree / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                file.symlink_to(text.removeprefix("-> "))
            else:
                file.write_text(text)
                file.chmod(0o755 if text.startswith("#!") else 0o600)
        self.run(tree, "add", "-A")
        self.run(tree, "commit", "-q", "--allow-empty", "-m", "a change")
        self.push(name, f"HEAD:refs/heads/{branch}")
        return self.run(tree, "rev-parse", "HEAD")

    def push(self, name: str, *specs: str) -> None:
        self.run(self.work / name, "push", "-q", "--force", "origin", *specs)
        self.run(self.root / f"{name}.git", "update-server-info")

    def tag(self, name: str, tag: str, *, annotated: bool = False) -> str:
        options = ["-a", "-m", "a tag"] if annotated else []
        self.run(self.work / name, "tag", "-f", *options, tag)
        self.push(name, f"refs/tags/{tag}")
        return self.run(self.work / name, "rev-parse", f"refs/tags/{tag}")


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    return Repositories(tmp_path)


class Child(cache.Child):
    life = 40


FILES = {"a": "one\n", "run": "#!/bin/sh\n", "sub/deep/f": "deep\n", "sub/link": "-> ../a"}
TREE = {
    "a": (0o100644, b"one\n"),
    "run": (0o100755, b"#!/bin/sh\n"),
    "sub": (0o40755, b""),
    "sub/deep": (0o40755, b""),
    "sub/deep/f": (0o100644, b"deep\n"),
    "sub/link": (0o120777, b"../a"),
}


@pytest.fixture
def commit(repositories: Repositories, web: Web) -> str:
    """The only commit of repository `app`, served the smart way."""
    web.rules.append(smart_git(repositories.root))
    return repositories.make("app", FILES)


def url(web: Web, name: str = "app") -> str:
    return web.url(f"/{name}.git")


def resolved(place: Place, op: SourceOp) -> str:
    return place.git.resolve(op, place.cancellation).commit


def kept(place: Place, snapshot: int, *arguments: str) -> str:
    """What git says in the kept repository of a snapshot."""
    root = place.real(snapshot, ".git").parent
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={"PATH": os.environ["PATH"], "HOME": "/", "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
