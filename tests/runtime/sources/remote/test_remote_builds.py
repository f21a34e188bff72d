"""Whole builds from addresses: by root, by an ordinary user, and replayed."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.runtime.sources.remote.conftest import Child, Repositories
from tests.runtime.sources.remote.webserver import Web, smart_git

from pybuild.compiler.state import State
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]

DATA = b"some data\n"
SUM = "sha256:" + sha256(DATA).hexdigest()


@pytest.fixture
def site(web: Web, repositories: Repositories) -> Web:
    web.files["/data.txt"] = DATA
    smart = smart_git(repositories.root)
    web.rules.append(lambda handler: ".git/" in handler.path and smart(handler))
    return web


@pytest.fixture
def commit(site: Web, repositories: Repositories) -> str:
    return repositories.make("app", {"a": "one\n", "run": "#!/bin/sh\n", "sub/f": "f\n"})


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path, tmp_path)


@pytest.fixture
def user_builder(ordinary_user: int) -> Iterator[Builder]:
    directory = Path(tempfile.mkdtemp(prefix="pybuild-remote-"))
    directory.chmod(0o755)
    os.chown(directory, ordinary_user, -1)
    yield Builder(directory, directory, uid=ordinary_user)
    shutil.rmtree(directory, ignore_errors=True)


def members(path: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Mode, owner, group and content of the files in an archive, by name."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            found[member.name] = (member.mode, member.uid, member.gid, file.read() if file else b"")
    return found


def records(builder: Builder) -> list[Path]:
    """The records by which a build is replayed."""
    directory = builder.store / "invocations"
    return list(directory.iterdir()) if directory.is_dir() else []


def dockerfile(site: Web, ref: str, checksum: str = "") -> str:
    pin = f"--checksum={checksum} " if checksum else ""
    return f"FROM scratch\nADD {pin}{site.url('/data.txt')} /d/\nADD {site.url('/app.git')}#{ref} /app\n"


WANTED = {
    "d/data.txt": (0o600, 0, 0, DATA),
    "app/a": (0o644, 0, 0, b"one\n"),
    "app/run": (0o755, 0, 0, b"#!/bin/sh\n"),
    "app/sub/f": (0o644, 0, 0, b"f\n"),
}


def test_as_an_ordinary_user(user_builder: Builder, site: Web, commit: str) -> None:
    context = user_builder.context("context", dockerfile(site, "main"))
    out = user_builder.place / "out.tar"
    user_builder.run("build", "-o", f"type=tar,dest={out}", context)
    assert {name: entry for name, entry in members(out).items() if entry[3]} == WANTED
    asked = len(site.seen)
    again = user_builder.run("build", "--progress=plain", "-o", f"type=tar,dest={out}", context)
    assert "CACHED" in again.err
    assert len(site.seen) > asked, "neither is pinned, so both are asked about"
    assert len(site.asked("/data.txt")) == 2


def test_a_pinned_build_is_replayed_without_asking(builder: Builder, site: Web, commit: str) -> None:
    context = builder.context("context", dockerfile(site, commit, SUM))
    out = builder.place / "out.tar"
    words = ("build", "--progress=plain", "-o", f"type=tar,dest={out}", context)
    builder.run(*words)
    assert {name: entry for name, entry in members(out).items() if entry[3]} == WANTED
    builder.run(*words)
    asked = len(site.seen)
    builder.run(*words)
    assert len(site.seen) == asked
    site.close()
    builder.run(*words)
    assert records(builder)


def test_a_build_that_is_not_pinned_follows_its_sources(
    builder: Builder, site: Web, repositories: Repositories, commit: str
) -> None:
    context = builder.context("context", dockerfile(site, "main"))
    out = builder.place / "out.tar"
    words = ("build", "--progress=plain", "-o", f"type=tar,dest={out}", context)
    builder.run(*words)
    site.files["/data.txt"] = b"other data\n"
    builder.run(*words)
    assert members(out)["d/data.txt"][3] == b"other data\n"
    repositories.commit("app", {"a": "two\n"})
    builder.run(*words)
    assert members(out)["app/a"][3] == b"two\n"
    assert not records(builder)


@pytest.mark.parametrize("which", ["http", "git"])
def test_an_error_names_the_instruction(builder: Builder, site: Web, commit: str, which: str) -> None:
    source = site.url("/gone") if which == "http" else site.url("/app.git#nope")
    context = builder.context("context", f"FROM scratch\nADD {source} /d/\n")
    said = builder.run("build", context, code=1).err
    expected = "invalid response status 404" if which == "http" else "repository does not contain ref nope"
    assert expected in said
    assert "Dockerfile:2" in said


def test_the_same_address_twice_in_a_build_is_asked_once(tmp_path: Path, site: Web, commit: str) -> None:
    states = [
        State.http(site.url("/data.txt")),
        State.http(site.url("/data.txt")),
        State.git(site.url("/app.git"), "main"),
        State.git(site.url("/app.git"), "main", subdir="sub"),
    ]
    edges = [state.edge for state in states if state.edge is not None]

    def build() -> object:
        engine = Engine(EngineOptions(str(tmp_path / "store")), Observer(), Cancellation())
        try:
            results = engine.solve(edges)
            return [sorted(node.path for node in engine.tree(one).walk(b"")) for one in results]
        finally:
            engine.close()

    assert Child(build).result() == [[b"data.txt"], [b"data.txt"], [b"a", b"run", b"sub", b"sub/f"], [b"f"]]
    assert len(site.asked("/data.txt")) == 1
