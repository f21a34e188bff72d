"""SOURCE_DATE_EPOCH from where the source comes: repositories, files and archives of a web site on loopback."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.building import Builder
from tests.runtime.sources.remote.conftest import Repositories
from tests.runtime.sources.remote.webserver import LONG_AGO, Web, smart_git

pytestmark = [pytest.mark.root, pytest.mark.crun]

COMMITTED = 1_600_000_001
TOLD = "FROM base\nARG SOURCE_DATE_EPOCH\nCOPY . /all/\nRUN echo told=$SOURCE_DATE_EPOCH. && touch /touched\n"


class Site:
    """A web site with one repository; `commit` is its only one."""

    def __init__(self, directory: Path) -> None:
        self.web = Web()
        repositories = Repositories(directory)
        self.commit = repositories.make("one", {"Dockerfile": TOLD})
        git = smart_git(repositories.root)
        self.web.rules.append(lambda handler: ".git/" in handler.path and git(handler))
        self.repository = self.web.url("/one.git")


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.web.close()


def exported(archive: Path) -> tuple[dict[str, Any], list[tarfile.TarInfo]]:
    """The config, and the members of all layers but the base's."""
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> bytes:
            file = tar.extractfile("blobs/" + digest.replace(":", "/"))
            assert file is not None
            return file.read()

        def layer(digest: str) -> list[tarfile.TarInfo]:
            file = tar.extractfile("blobs/" + digest.replace(":", "/"))
            with tarfile.open(fileobj=file) as members:
                return members.getmembers()

        index = tar.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.loads(index.read())["manifests"][0]["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        return config, [member for one in manifest["layers"][1:] for member in layer(one["digest"])]


# The main context


def test_the_commit_is_the_time_of_the_image_and_of_its_files(builder: Builder, site: Site) -> None:
    archive = builder.place / "image.tar"
    out = f"--output=type=oci,dest={archive},rewrite-timestamp=true"
    done = builder.build("--build-arg=SOURCE_DATE_EPOCH=context", out, site.repository)
    assert f"told={COMMITTED}." in done.err
    config, members = exported(archive)
    assert config["created"] == "2020-09-13T12:26:41Z"
    assert config["history"][-1]["created"] == "2020-09-13T12:26:41Z"
    assert f"ARG SOURCE_DATE_EPOCH={COMMITTED}" in [entry["created_by"] for entry in config["history"]]
    assert members
    assert {int(member.mtime) for member in members} == {COMMITTED}


def test_files_of_a_repository_get_its_time_when_a_time_is_asked_for(builder: Builder, site: Site) -> None:
    shown = b"FROM base\nCOPY . /all/\nRUN stat -c 'file=%Y.' /all/Dockerfile\n"
    given = builder.in_environment(SOURCE_DATE_EPOCH="1234567890")

    def times(builder: Builder, query: str = "") -> list[str]:
        done = builder.build("--no-cache", "-f", "-", site.repository + query, stdin=shown)
        return re.findall(r"file=(\d+)\.", done.err)

    assert times(given) == [str(COMMITTED)]
    assert times(builder, "?mtime=commit") == [str(COMMITTED)]
    for checked_out in (times(builder), times(given, "?mtime=checkout")):
        assert len(checked_out) == 1
        assert int(checked_out[0]) > COMMITTED


def test_an_archive_as_the_context(builder: Builder, site: Site) -> None:
    context = builder.context("packed", TOLD, a="a\n")
    os.utime(context / "a", (1_111_111_111, 1_111_111_111))
    os.utime(context / "Dockerfile", (1_000_000_000, 1_000_000_000))
    with tarfile.open(builder.place / "a.tar.gz", "w:gz") as tar:
        for name in ("Dockerfile", "a"):
            tar.add(context / name, name)
    site.web.files["/a.tar.gz"] = (builder.place / "a.tar.gz").read_bytes()
    given = builder.in_environment(SOURCE_DATE_EPOCH="context")
    assert f"told={LONG_AGO}." in given.build(site.web.url("/a.tar.gz")).err
    site.web.dates = False
    site.web.tags = False
    site.web.files["/b.tar.gz"] = site.web.files["/a.tar.gz"]
    assert "told=1111111111." in given.build(site.web.url("/b.tar.gz")).err


def test_a_local_directory_tells_nothing(builder: Builder) -> None:
    context = builder.context("context", "ARG SOURCE_DATE_EPOCH=context\n" + TOLD)
    out = f"--output=type=oci,dest={builder.place / 'image.tar'}"
    assert "told=." in builder.build(out, context).err
    assert "2001-09-09" not in exported(builder.place / "image.tar")[0]["created"]
    assert "CACHED" in builder.build(out, context).err
    again = f"--output=type=oci,dest={builder.place / 'image.tar'},rewrite-timestamp=true"
    assert "SOURCE_DATE_EPOCH" in builder.build(again, context, code=2).err


# Named contexts and stages


def test_a_named_context_and_what_the_exporters_make_of_it(builder: Builder, site: Site) -> None:
    context = builder.context("context", TOLD, a="a\n")
    words = (f"--build-context=src={site.repository}", "--build-arg=SOURCE_DATE_EPOCH=src", context)
    done = builder.build(f"--output={builder.place / 'out'}", *words)
    assert f"told={COMMITTED}." in done.err
    assert (builder.place / "out/touched").stat().st_mtime == COMMITTED
    assert "resolve SOURCE_DATE_EPOCH named context src" in done.err
    builder.build(f"--output=type=tar,dest={builder.place / 'out.tar'}", *words)
    with tarfile.open(builder.place / "out.tar") as tar:
        assert {int(member.mtime) for member in tar} == {COMMITTED}


def test_a_stage_that_the_target_needs_not(builder: Builder, site: Site) -> None:
    """Only the time depends on it, so what is remembered of the build must not be taken for it later."""
    site.web.files["/a"] = b"a"
    stage = f"ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD {site.web.url('/a')} /\n"
    context = builder.context("context", stage + TOLD)
    out = f"--output=type=oci,dest={builder.place / 'image.tar'}"
    assert f"told={LONG_AGO}." in builder.build(out, context).err
    before = exported(builder.place / "image.tar")[0]["created"]
    assert before == "2017-07-14T02:40:00Z"
    site.web.files["/a"] = b"b"
    site.web.headers["/a"] = {"Last-Modified": formatdate(1_700_000_000, usegmt=True)}
    assert "told=1700000000." in builder.build(out, context).err
    assert exported(builder.place / "image.tar")[0]["created"] == "2023-11-14T22:13:20Z"


def test_a_branch_that_moves_and_a_commit_that_does_not(builder: Builder, site: Site) -> None:
    stage = "ARG REF\nARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD REPO#$REF /\n"
    context = builder.context("context", stage.replace("REPO", site.repository) + TOLD)
    out = f"--output=type=oci,dest={builder.place / 'image.tar'}"
    for ref in ("main", site.commit):
        assert f"told={COMMITTED}." in builder.build(f"--build-arg=REF={ref}", out, context).err
    seen = len(site.web.seen)
    builder.build(f"--build-arg=REF={site.commit}", out, context)
    assert len(site.web.seen) == seen  # replayed: nobody is asked
    builder.build("--build-arg=REF=main", out, context)
    assert len(site.web.seen) > seen


def test_what_cannot_be_asked(builder: Builder, site: Site) -> None:
    gone = site.web.url("/gone.tar")
    context = builder.context("context", f"FROM scratch AS src\nADD {gone} /\n{TOLD}")
    refused = builder.build("--build-arg=SOURCE_DATE_EPOCH=src", context, code=1).err
    assert "invalid response status 404" in refused
    assert f"2 | ADD {gone} /" in refused
    checked = builder.run("check", "--build-arg=SOURCE_DATE_EPOCH=src", context)
    assert "404" not in checked.err
    refused = builder.build("--build-arg=SOURCE_DATE_EPOCH=scr", context, code=2).err
    assert "invalid SOURCE_DATE_EPOCH: scr" in refused
    assert "did you mean src?" in refused


@pytest.mark.user
def test_an_ordinary_user(user_builder: Builder, site: Site) -> None:
    """Questions run nothing, and fetch all the same."""
    site.web.dates = False
    site.web.files["/a.tar"] = b"a"
    text = f"FROM scratch AS src\nADD {site.web.url('/a.tar')} /\n{TOLD}"
    context = user_builder.context("context", text, a="a\n")
    words = ("--build-arg=SOURCE_DATE_EPOCH=src", f"--build-context=base=oci-layout://{user_builder.base}")
    assert '"vertices"' in user_builder.run("graph", *words, context).out
    user_builder.run("check", *words, context, code=None)
    git = (words[1], f"--build-context=src={site.repository}", words[0])
    assert str(COMMITTED) in user_builder.run("graph", *git, context).out
    assert f"told={COMMITTED}." in user_builder.build(*git[1:], context).err
