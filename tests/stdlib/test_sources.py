"""Steps that fetch: files and archives of a web server, repositories of git; and labels from the repository."""

from __future__ import annotations

import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.e2e.building import Builder, blob, manifest_of
from tests.runtime.registry.behaving import Registry
from tests.support.standins.images import answer_for_all

pytestmark = [pytest.mark.root, pytest.mark.crun]

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory and the address under which it is served."""
    directory = tmp_path / "served"
    directory.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield directory, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def asking(builder: Builder, registry: Registry) -> Builder:
    answer_for_all(builder, registry)
    return builder


def git(directory: Path, *words: str) -> str:
    command = ["git", *IDENTITY, *words]
    dates = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    done = subprocess.run(
        command,
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(directory), **dates},
    )
    return done.stdout.strip()


def repository(directory: Path) -> str:
    """A repository with one tagged commit, which is named."""
    directory.mkdir()
    git(directory, "init", "-q")
    (directory / "tool").mkdir()
    (directory / "tool" / "run.sh").write_text("#!/bin/sh\necho tool\n")
    (directory / "readme").write_text("read me\n")
    git(directory, "add", ".")
    git(directory, "commit", "-qm", "first")
    git(directory, "tag", "v1.0.0")
    return git(directory, "rev-parse", "HEAD")


def build(builder: Builder, uses: str, body: str, *words: str | Path, code: int = 0) -> str:
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    context = builder.context("project")
    (context / "build.pybuild").write_text(f"# syntax=pybuild:1\n\n{uses}\n\ntarget a:\n{lines}")
    return builder.run("build", "--progress=plain", *words, context, code=code).err


def test_a_file_and_an_archive(asking: Builder, served: tuple[Path, str]) -> None:
    directory, url = served
    (directory / "tool").write_bytes(b"#!/bin/sh\necho works\n")
    inside = directory / "pack-1.2"
    (inside / "bin").mkdir(parents=True)
    (inside / "bin" / "x").write_text("x\n")
    with tarfile.open(directory / "pack.tar.gz", "w:gz") as archive:
        archive.add(inside, "pack-1.2")
    digest = sha256((directory / "tool").read_bytes()).hexdigest()
    said = build(
        asking,
        "use fs",
        f"""
from "base"
fs.download("{url}/tool", "/usr/local/bin/works", sha256="{digest}", mode=0o755)
fs.extract("{url}/pack.tar.gz", "/opt/pack", strip=1, owner="7:8")
run works; cat /opt/pack/bin/x; stat -c '%n %u:%g' /opt/pack/bin/x
""",
    )
    assert " works\n" in said
    assert " /opt/pack/bin/x 7:8\n" in said


def test_another_digest(asking: Builder, served: tuple[Path, str]) -> None:
    directory, url = served
    (directory / "tool").write_bytes(b"other")
    said = build(
        asking, "use fs", f'from "base"\nfs.download("{url}/tool", "/t", sha256="{"0" * 64}")', code=1
    )
    assert "R0003" in said


def test_a_repository_of_packages(asking: Builder, served: tuple[Path, str]) -> None:
    directory, url = served
    (directory / "key.asc").write_text("a key\n")
    said = build(
        asking,
        "use apt",
        f"""
from "base"
apt.repository("acme", "https://deb.example.com", ["stable", "extra"], key="{url}/key.asc", components=["a", "b"])
run cat /etc/apt/keyrings/acme.asc; sed 's/^/told: /' /etc/apt/sources.list.d/acme.sources
""",
    )
    assert " a key\n" in said
    told = [line.partition("told: ")[2] for line in said.splitlines() if "told: " in line]
    assert [line for line in told if ":" in line and not line.startswith("/")] == [
        "Types: deb",
        "URIs: https://deb.example.com",
        "Suites: stable extra",
        "Components: a b",
        "Signed-By: /etc/apt/keyrings/acme.asc",
    ]


def test_a_clone(asking: Builder, served: tuple[Path, str]) -> None:
    directory, url = served
    repository(directory / "tools")
    git(directory / "tools", "update-server-info")
    said = build(
        asking,
        "use git",
        f"""
from "base"
git.clone("{url}/tools/.git", "/opt/all", ref="v1.0.0", owner="1000:1000")
git.clone("{url}/tools/.git", "/opt/tool", subdir="tool", ref="v1.0.0")
run ls -A /opt/all; sh /opt/tool/run.sh; stat -c 'owner %u:%g' /opt/all/readme; test ! -e /opt/all/.git
""",
    )
    assert " tool\n" in said
    assert " owner 1000:1000\n" in said


def test_what_git_is_told(asking: Builder) -> None:
    said = build(
        asking,
        'use git\n\nlet base = host(["sh", "git"])',
        """
from base
mkdir "/etc"
git.trust(["/src", "/other place"])
git.over_ssh(["github.com", "git.example.com"])
with env(HOME="/"):
    run git config --system --list
""",
    )
    told = [line.split(" ", 2)[2] for line in said.splitlines() if "safe." in line or "url." in line]
    assert [line for line in told if not line.startswith("run ")][-4:] == [
        "safe.directory=/src",
        "safe.directory=/other place",
        "url.ssh://git@github.com/.insteadof=https://github.com/",
        "url.ssh://git@git.example.com/.insteadof=https://git.example.com/",
    ]


def labels(layout: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The labels of an image and the annotations of its manifest."""
    manifest = manifest_of(layout)
    config = json.loads(blob(layout, manifest["config"]["digest"]))  # type: ignore[index]
    annotations = manifest.get("annotations", {})
    assert isinstance(annotations, dict)
    return config["config"].get("Labels", {}), annotations


def test_labels(asking: Builder, tmp_path: Path) -> None:
    commit = repository(asking.place / "project")
    layout = tmp_path / "layout"
    body = 'from "base"\noci.labels(title="app", licenses="MIT", annotations=true)'
    build(asking, "use oci", body, f"--output=type=oci,dest={layout},tar=false")
    prefix = "org.opencontainers.image."
    found, annotations = labels(layout)
    assert found == {
        f"{prefix}title": "app",
        f"{prefix}version": "v1.0.0",
        f"{prefix}revision": commit,
        f"{prefix}licenses": "MIT",
    }
    assert annotations.items() >= found.items()


def test_labels_outside_of_a_repository(asking: Builder, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    body = 'from "base"\noci.labels(version="1.2", revision="")'
    build(asking, "use oci", body, f"--output=type=oci,dest={layout},tar=false")
    assert labels(layout) == ({"org.opencontainers.image.version": "1.2"}, {})
