"""Contexts and Dockerfiles that lie elsewhere: repositories, archives and files of a real web site on loopback."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.differential.website import Website
from tests.e2e.building import Builder

pytestmark = [pytest.mark.root, pytest.mark.crun]

SHOWN = b"""\
FROM base
COPY . /context
RUN cd /context && find . ! -name . | sort && cat README* sub/a 2>/dev/null || true
"""


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Website]:
    with Website(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_a_repository(builder: Builder, site: Website) -> None:
    address = site.words["WEBSITE"] + "/repo.git"
    done = builder.build("-f", "-", address, stdin=SHOWN)
    assert f"[internal] load git source {address}" in done.err
    assert "./run.sh" in done.err
    assert "readme" in done.err
    assert ".git" not in done.err.replace("repo.git", "")
    done = builder.build("-f", "-", address + "#v1:sub", stdin=SHOWN)
    assert "./deep/b" in done.err
    assert "readme" not in done.err
    kept = builder.build("--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", "-f", "-", address, stdin=SHOWN)
    assert "./.git/HEAD" in kept.err
    again = builder.build("-f", "-", address + "?keep-git-dir=1", stdin=SHOWN)
    assert "COPY . /context\n#6 CACHED" in again.err  # as the argument does


def test_a_repository_by_the_query_form(builder: Builder, site: Website) -> None:
    address = f"{site.words['WEBSITE']}/repo.git?branch=side&subdir=sub&checksum={'0' * 40}"
    assert "checksum" in builder.build("-f", "-", address, stdin=SHOWN, code=1).err
    done = builder.build("-f", "-", f"{site.words['WEBSITE']}/repo.git?tag=v1&subdir=sub", stdin=SHOWN)
    assert "./deep/b" in done.err


def test_no_dockerfile_in_the_repository(builder: Builder, site: Website) -> None:
    done = builder.build(site.words["WEBSITE"] + "/repo.git", code=2)
    assert "repo.git has no Dockerfile" in done.err
    assert "has no sub/x" in builder.build("-f", "sub/x", site.words["WEBSITE"] + "/repo.git", code=2).err
    assert "unexpected query" in builder.build(site.words["WEBSITE"] + "/repo.git?brunch=x", code=2).err


def packed(context: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name in ("Dockerfile", "README", "sub/a"):
            tar.add(context / name, name)
    return out.getvalue()


def test_an_archive(builder: Builder, site: Website) -> None:
    files = {"README": "of the archive\n", "sub/a": "deep\n", ".dockerignore": "README\n"}
    site.add("/site.tar.gz", packed(builder.context("packed", SHOWN.decode(), **files)))
    done = builder.build(site.words["WEBSITE"] + "/site.tar.gz")
    assert "[internal] load remote build context" in done.err
    assert "of the archive" in done.err
    assert "deep" in done.err
    context = builder.context("context", "FROM base\nRUN --mount=from=packed,target=/p cat /p/sub/a\n")
    asked = f"--build-context=packed={site.words['WEBSITE']}/site.tar.gz"
    assert "deep" in builder.build(asked, context).err


def test_a_dockerfile_alone(builder: Builder, site: Website) -> None:
    site.add("/Dockerfile", b"FROM base\nCOPY context /kept\nRUN echo ran && cat /kept\n")
    done = builder.build(site.words["WEBSITE"] + "/Dockerfile")
    assert "COPY context /kept" in done.err  # the file is all that its context holds
    elsewhere = builder.context("elsewhere", None, context="of the directory\n")
    done = builder.build("-f", site.words["WEBSITE"] + "/Dockerfile", elsewhere)
    assert "of the directory" in done.err


def test_named_contexts(builder: Builder, site: Website) -> None:
    address = site.words["WEBSITE"]
    text = "FROM base AS repo\nFROM base\nCOPY --from=repo README /\nCOPY --from=file context /\n"
    context = builder.context("context", text + "RUN cat /README /context\n")
    flags = [f"--build-context=repo={address}/repo.git#main", f"--build-context=file={address}/plain.txt"]
    done = builder.build(*flags, context)
    assert "readme" in done.err
    assert "plain text" in done.err


def test_a_target_in_the_place_of_an_image(builder: Builder) -> None:
    text = "FROM base AS made\nENV MADE=yes\nRUN echo made >/made\nFROM other\nRUN cat /made && echo $MADE\n"
    context = builder.context("context", text)
    done = builder.build("--build-context=other=target:made", context)
    assert "yes" in done.err
    refused = builder.build("--build-context=other=target:mode", context, code=2)
    assert 'target stage "mode" could not be found' in refused.err
    assert "did you mean made?" in refused.err


def test_nothing_there(builder: Builder, site: Website) -> None:
    done = builder.build(site.words["WEBSITE"] + "/nothing.tar", code=1)
    assert "404" in done.err
    done = builder.build("http://127.0.0.1:9/repo.git", code=1)
    assert "127.0.0.1:9" in done.err


def test_a_graph_of_a_repository(builder: Builder, site: Website) -> None:
    context = builder.context(
        "context", "FROM scratch\nADD WEBSITE/repo.git /\n".replace("WEBSITE", site.words["WEBSITE"])
    )
    assert '"git://' in builder.run("graph", context).out
