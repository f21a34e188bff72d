"""The same addresses, fetched by Docker's BuildKit."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.runtime.sources.remote.conftest import FILES, Repositories
from tests.runtime.sources.remote.webserver import Web, smart_git

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.docker]

DATA = b"some data\n" * 100

Entry = tuple[bytes, int, int, int, str, bytes]
"""Type, mode, owner, group, link target and content."""


def entries(path: Path) -> dict[str, Entry]:
    found = {}
    with tarfile.open(path) as archive:
        for one in archive:
            file = archive.extractfile(one) if one.isreg() else None
            content = file.read() if file is not None else b""
            found[one.name] = (one.type, one.mode, one.uid, one.gid, one.linkname, content)
    return found


def times(path: Path) -> dict[str, float]:
    with tarfile.open(path) as archive:
        return {one.name: one.mtime for one in archive if one.isreg()}


def by_docker(context: Path, out: Path) -> None:
    command = [
        "docker",
        "buildx",
        "build",
        "--network=host",
        "--no-cache",
        "-o",
        f"type=tar,dest={out}",
        str(context),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_the_same(tmp_path: Path, web: Web) -> None:
    web.files = {
        "/plain.txt": DATA,
        "/coded.gz": gzip.compress(DATA, mtime=0),
        "/undated": DATA,
        "/new": DATA,
    }
    web.headers["/coded.gz"] = {"Content-Encoding": "gzip"}
    web.headers["/undated"] = {"Last-Modified": "never"}
    web.rules.append(lambda handler: handler.path == "/moved" and handler.redirect("/new"))
    builder = Builder(tmp_path, tmp_path)
    pin = "--checksum=sha256:" + sha256(DATA).hexdigest()
    lines = [
        "FROM scratch",
        *(f"ADD {web.url(path)} /d/" for path in ("/plain.txt", "/coded.gz", "/undated", "/moved")),
    ]
    lines += [
        f"ADD {pin} {web.url('/coded.gz')} /pinned",
        f"ADD --chmod=751 --chown=4:5 {web.url('/new')} /run",
    ]
    context = builder.context("context", "\n".join(lines) + "\n")
    own, theirs = tmp_path / "own.tar", tmp_path / "theirs.tar"
    builder.run("build", "-o", f"type=tar,dest={own}", context)
    by_docker(context, theirs)
    assert entries(own) == entries(theirs)
    assert times(own) == times(theirs)
    assert entries(own)["d/coded.gz"][-1] == DATA


def fresh() -> dict[str, str]:
    """A file that makes a commit one that the daemon never saw: it keeps checkouts by commit, also what an index
    that it shares among them left there by mistake."""
    return {"fresh": os.urandom(8).hex()}


def compared(tmp_path: Path, places: dict[str, str]) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """What pybuild and Docker's BuildKit make of addresses at paths."""
    lines = ["FROM scratch", *(f"ADD {address} {path}" for path, address in places.items())]
    builder = Builder(tmp_path, tmp_path)
    context = builder.context("context", "\n".join(lines) + "\n")
    own, theirs = tmp_path / "own.tar", tmp_path / "theirs.tar"
    builder.run("build", "-o", f"type=tar,dest={own}", context)
    by_docker(context, theirs)
    return entries(own), entries(theirs)


def test_repositories_are_the_same(tmp_path: Path, web: Web, repositories: Repositories) -> None:
    web.rules.append(smart_git(repositories.root))
    first = repositories.make("app", {**FILES, **fresh(), ".gitattributes": "dos eol=crlf\n", "dos": "x\n"})
    repositories.tag("app", "v1", annotated=True)
    repositories.commit("app", {"a": "two\n"})
    app = web.url("/app.git")
    places = {"/first/": f"{app}#{first}", "/tag/": f"{app}#v1", "/part/": f"{app}#v1:sub", "/new/": app}
    own, theirs = compared(tmp_path, places)
    assert own == theirs


def test_submodules_are_the_same_but_for_their_links(
    tmp_path: Path, web: Web, repositories: Repositories
) -> None:
    web.rules.append(smart_git(repositories.root))
    repositories.make("lib", {"lib.c": "lib\n"})
    repositories.make("whole", {**FILES, **fresh()})
    tree = repositories.work / "whole"
    repositories.run(tree, "submodule", "--quiet", "add", str(repositories.root / "lib.git"), "lib")
    repositories.run(tree, "config", "-f", ".gitmodules", "submodule.lib.url", "../lib.git")
    repositories.commit("whole", {})
    own, theirs = compared(tmp_path, {"/all/": web.url("/whole.git")})
    link = theirs.pop("all/lib/.git")
    assert b"gitdir: " in link[-1], "it leads into that builder's own store"
    assert own == theirs
