"""Sources of registries, of the web, and of repositories."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.client.contents import Blobs, Stores
from tests.daemon.client.offers import Secrets
from tests.daemon.wire.observing import Entry, failure, folder, link, output, refused, sh, text, tree
from tests.differential.bases import Bases
from tests.runtime.sources.remote.conftest import FILES, Repositories
from tests.runtime.sources.remote.webserver import LONG_AGO, Handler, Web, smart_git
from tests.support.daemons import Peer

from pybuild.compiler.ops import SourceOp
from pybuild.compiler.state import State, copy

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
def file(web: Web) -> str:
    """The address of a file of the test's own."""
    path = f"/{uuid.uuid4().hex}/some.txt"
    web.files[path] = b"of the web\n"
    return web.url(path)


# Images


def test_an_image(peer: Peer, base_reference: str) -> None:
    only = SCRATCH.file(copy(State.image(base_reference), "/var/data", "/", contents_only=True))
    assert tree(peer, only) == {
        "one": text("one\n", 0o640, (1, 4)),
        "two": text("two\n"),
        "sub": folder(0o2775, (0, 50)),
        "sub/three": text("three\n", 0o600, (1000, 1000)),
    }


def test_an_image_by_digest(peer: Peer, base_layout: Path, base_reference: str) -> None:
    digest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]
    state = State.image(f"{base_reference.rpartition(':')[0]}@{digest}")
    assert output(peer, state, path="/var/data/two") == "two\n"
    wrong = State.image(f"{base_reference.rpartition(':')[0]}@sha256:{'0' * 64}")
    assert "not found" in refused(peer, wrong).message


@pytest.mark.parametrize("mode", ["default", "pull", "local"])
def test_resolve_modes(ours: Peer, base_reference: str, mode: str) -> None:
    assert output(ours, State.image(base_reference, resolve_mode=mode), path="/var/data/two") == "two\n"


def test_an_image_that_is_not_there(peer: Peer, registry: str) -> None:
    failed = failure(peer, State.image(f"{registry}/no/such:image"))
    assert f"{registry}/no/such:image: not found" in failed.message


def test_some_layers_of_an_image(peer: Peer, base_reference: str) -> None:
    assert tree(peer, State.image(base_reference, layer_limit=1))["var/data/two"] == text("two\n")


def test_the_checksum_of_an_image(ours: Peer, base_layout: Path, base_reference: str) -> None:
    digest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]
    assert output(ours, State.image(base_reference, checksum=digest), path="/var/data/two") == "two\n"
    failed = refused(ours, State.image(base_reference, checksum="sha256:" + "1" * 64))
    assert digest in failed.message


def test_an_image_in_the_client(peer: Peer, base_layout: Path) -> None:
    blobs = Blobs.of_layout(base_layout)
    stores = Stores({"oci:mine": blobs})
    digest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]
    state = State.oci_layout(f"any/name@{digest}", store="mine")
    assert output(peer, state, stores.offer(), path="/var/data/two") == "two\n"
    absent = State.oci_layout(f"any/name@sha256:{'2' * 64}", store="mine")
    assert "not found" in refused(peer, absent, stores.offer()).message


def test_blobs(ours: Peer, bases: Bases, base_layout: Path, base_reference: str) -> None:
    """One blob of an image's repository as a file."""
    manifest = json.loads((base_layout / "index.json").read_bytes())["manifests"][0]["digest"]
    blob = json.loads((base_layout / "blobs/sha256" / manifest.removeprefix("sha256:")).read_bytes())[
        "config"
    ]
    name = base_reference.rpartition(":")[0]
    state = State.source(
        SourceOp(f"docker-image+blob://{name}@{blob['digest']}", {"http.filename": "config"})
    )
    found = tree(ours, state)
    assert hashlib.sha256(found["config"].content).hexdigest() == blob["digest"].removeprefix("sha256:")


def test_blobs_in_the_client(ours: Peer, base_layout: Path) -> None:
    blobs = Blobs.of_layout(base_layout)
    digest = blobs.add(b"only here")
    state = State.source(
        SourceOp(f"oci-layout+blob://any/name@{digest}", {"oci.store": "mine", "http.filename": "file"})
    )
    found = tree(ours, state, Stores({"oci:mine": blobs}).offer())
    assert found["file"].content == b"only here"


# Files of the web


def test_a_file(peer: Peer, file: str) -> None:
    found = tree(peer, State.http(file))
    assert found == {"some.txt": Entry("-", 0o600, (0, 0), b"of the web\n")}
    assert found["some.txt"].mtime == LONG_AGO


def test_what_a_file_is_called_and_whose_it_is(peer: Peer, file: str) -> None:
    state = State.http(file, filename="other", mode=0o755, uid=3, gid=4)
    assert tree(peer, state) == {"other": Entry("-", 0o755, (3, 4), b"of the web\n")}


def test_the_name_that_the_server_tells(peer: Peer, web: Web) -> None:
    path = f"/{uuid.uuid4().hex}"
    web.files[path] = b"named"
    web.headers[path] = {"Content-Disposition": 'attachment; filename="told.bin"'}
    assert list(tree(peer, State.http(web.url(path)))) == ["told.bin"]


def test_the_checksum_of_a_file(peer: Peer, file: str) -> None:
    digest = "sha256:" + hashlib.sha256(b"of the web\n").hexdigest()
    assert list(tree(peer, State.http(file, checksum=digest))) == ["some.txt"]
    wrong = "sha256:" + "3" * 64
    failed = refused(peer, State.http(file + "?other", checksum=wrong))
    assert "digest mismatch" in failed.message or "404" in failed.message
    failed = refused(peer, State.http(file, checksum=wrong))
    assert f"digest mismatch {digest}: {wrong}" in failed.message


def test_a_file_that_is_not_there(peer: Peer, web: Web) -> None:
    failed = refused(peer, State.http(web.url("/nothing")))
    assert "invalid response status 404" in failed.message


def test_a_file_is_asked_for_again_only_if_it_changed(peer: Peer, web: Web, file: str) -> None:
    state = State.http(file)
    assert tree(peer, state) == tree(peer, state)
    path = "/" + file.partition("://")[2].partition("/")[2]
    last = web.asked(path)[-1]
    assert "if-none-match" in last
    web.files[path] = b"changed\n"
    assert tree(peer, state)["some.txt"].content == b"changed\n"


def test_headers(ours: Peer, web: Web, file: str) -> None:
    secrets = Secrets({"token": b"Bearer abc"})
    state = State.http(file, auth_header_secret="token", headers={"Accept": "text/x", "User-Agent": "me/1"})
    tree(ours, state, secrets.offer())
    seen = web.asked("/" + file.partition("://")[2].partition("/")[2])[-1]
    assert seen["authorization"] == "Bearer abc"
    assert (seen["accept"], seen["user-agent"]) == ("text/x", "me/1")


# Repositories


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory, web: Web) -> Repositories:
    made = Repositories(tmp_path_factory.mktemp("git"))
    serve = smart_git(made.root)
    web.rules.append(lambda handler: ".git/" in handler.path and serve(handler))
    return made


class Project:
    """A repository with two commits on main, the first one tagged."""

    def __init__(self, repositories: Repositories, web: Web) -> None:
        name = f"p{uuid.uuid4().hex[:8]}"
        self.first = repositories.make(name, FILES)
        repositories.tag(name, "v1", annotated=True)
        self.second = repositories.commit(name, {"a": "two\n"})
        self.url = web.url(f"/{name}.git")


@pytest.fixture(scope="module")
def project(repositories: Repositories, web: Web) -> Project:
    return Project(repositories, web)


def _content(peer: Peer, state: State, path: str = "/a") -> str:
    return output(peer, state, path=path)


def test_a_branch_a_tag_and_a_commit(peer: Peer, project: Project) -> None:
    assert _content(peer, State.git(project.url)) == "two\n"
    assert _content(peer, State.git(project.url, "main")) == "two\n"
    assert _content(peer, State.git(project.url, "v1")) == "one\n"
    assert _content(peer, State.git(project.url, project.first)) == "one\n"
    assert _content(peer, State.git(project.url, "refs/heads/main")) == "two\n"


def test_the_files_of_a_repository(peer: Peer, project: Project) -> None:
    assert tree(peer, State.git(project.url, "v1")) == {
        "a": text("one\n"),
        "run": text("#!/bin/sh\n", 0o755),
        "sub": folder(),
        "sub/deep": folder(),
        "sub/deep/f": text("deep\n"),
        "sub/link": link("../a"),
    }


def test_a_directory_of_a_repository(peer: Peer, project: Project) -> None:
    assert sorted(tree(peer, State.git(project.url, "v1", subdir="sub/deep"))) == ["f"]
    failed = refused(peer, State.git(project.url, "v1", subdir="nowhere"))
    assert "nowhere" in failed.message


def test_the_repository_itself(peer: Peer, project: Project) -> None:
    found = tree(peer, State.git(project.url, "main", keep_git_dir=True))
    assert found[".git/HEAD"].content.strip().decode() in (project.second, "ref: refs/heads/main")
    assert ".git/config" in found


def test_a_branch_that_is_not_there(peer: Peer, project: Project) -> None:
    assert "nosuch" in refused(peer, State.git(project.url, "nosuch")).message


def test_the_checksum_of_a_commit(ours: Peer, project: Project) -> None:
    assert _content(ours, State.git(project.url, "v1", checksum=project.first)) == "one\n"
    failed = refused(ours, State.git(project.url, "v1", checksum=project.second))
    assert f"expected checksum to match {project.second}" in failed.message


def test_times_of_a_commit(ours: Peer, project: Project) -> None:
    found = tree(ours, State.git(project.url, "v1", mtime="commit"))
    assert found["a"].mtime == 1_600_000_001


def test_a_commit_that_is_fetched_by_its_name(ours: Peer, project: Project) -> None:
    state = State.git(project.url, "main", checksum=project.second, fetch_by_commit=True)
    assert _content(ours, state) == "two\n"


def test_submodules(ours: Peer, repositories: Repositories, project: Project, web: Web) -> None:
    name = f"outer{uuid.uuid4().hex[:8]}"
    repositories.make(name, {"own": "own\n"})
    repositories.run(repositories.work / name, "submodule", "add", "-q", project.url, "inner")
    repositories.commit(name, {"own": "with another\n"})
    url = web.url(f"/{name}.git")
    assert _content(ours, State.git(url), "/inner/a") == "two\n"
    assert "inner/a" not in tree(ours, State.git(url, skip_submodules=True))


@pytest.mark.parametrize("kind", ["token", "header"])
def test_a_repository_that_wants_to_know_who_asks(
    peer: Peer, repositories: Repositories, web: Web, kind: str
) -> None:
    project = Project(repositories, web)
    path = "/" + project.url.rpartition("/")[2]
    basic = "Basic " + base64.b64encode(b"x-access-token:s3cret").decode()
    wanted = basic if kind == "token" else "Custom s3cret"

    def guard(handler: Handler) -> bool:
        if (
            not handler.path.startswith(path)
            or handler.headers.get("Authorization", "").lower() == wanted.lower()
        ):
            return False
        return handler.answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})

    web.rules.insert(0, guard)
    secrets = {"GIT_AUTH_TOKEN": b"s3cret"} if kind == "token" else {"GIT_AUTH_HEADER": b"Custom s3cret"}
    assert output(peer, State.git(project.url), Secrets(secrets).offer(), path="/a") == "two\n"
    assert (
        "failed to fetch remote" in refused(peer, State.git(project.url, "v1"), Secrets({}).offer()).message
    )


def test_sources_no_daemon_has(peer: Peer, base: State) -> None:
    failed = failure(peer, State.source(SourceOp("ftp://example.com/x")))
    assert "ftp" in failed.message
    used = sh(base, "true # of a bad source").at(State.source(SourceOp("nothing at all")).edge)
    assert "nothing at all" in failure(peer, used).message
