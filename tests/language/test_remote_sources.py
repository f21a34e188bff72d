"""Repositories and downloads, each by a build of its own."""

from __future__ import annotations

import io
import os
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest
from tests.e2e.building import steps_run
from tests.language.project import Project, git
from tests.runtime.sources.remote.webserver import Web, smart_git

pytestmark = [pytest.mark.root, pytest.mark.crun]


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            packed.addfile(member, io.BytesIO(data))
    return out.getvalue()


# git


@pytest.fixture
def repository(project: Project, web: Web) -> Path:
    """A repository with a branch, tags and a submodule, which `web` serves."""
    served = project.place / "served"
    for name in ("sub", "main"):
        (served / name).mkdir(parents=True)
        git(served / name, "init", "-q", "-b", "trunk")
    (served / "sub" / "inside").write_text("sub")
    git(served / "sub", "add", ".")
    git(served / "sub", "commit", "-qm", "sub")
    main = served / "main"
    (main / "file").write_text("first")
    (main / "deep").mkdir()
    (main / "deep" / "er").write_text("deep")
    git(main, "add", ".")
    git(main, "commit", "-qm", "first")
    git(main, "tag", "-a", "v1", "-m", "v1")
    git(main, "branch", "side")
    (main / "file").write_text("second")
    git(main, "submodule", "-q", "add", "../sub", "module")
    git(main, "commit", "-qam", "second")
    web.rules.append(smart_git(served))
    return main


def test_git(project: Project, web: Web, repository: Path) -> None:
    """Branches, tags, commits, directories, submodules; what was resolved is in the lock file."""
    first, second = git(repository, "rev-parse", "v1^{commit}"), git(repository, "rev-parse", "HEAD")
    url = web.url("/main")
    project.write(
        f"""
let url = "{url}"
target a:
    from scratch
    copy "." from git(url) to "/head"
    copy "." from git(url, ref="v1") to "/tag"
    copy "." from git(url, ref="side") to "/branch"
    copy "." from git(url, ref="{first}", keep_git=true) to "/commit"
    copy "." from git(url, subdir="deep") to "/deep"
    copy "." from git(url, submodules=false) to "/alone"
"""
    )
    image = project.image()
    assert image.text("/head/file") == "second"
    assert image.text("/head/module/inside") == "sub"
    assert "/head/.git" not in image.files
    assert image.text("/tag/file") == image.text("/branch/file") == image.text("/commit/file") == "first"
    assert "/commit/.git/HEAD" in image.files
    assert image.below("/deep") == ["er"]
    assert "/alone/module/inside" not in image.files
    lock = project.text("pybuild.lock")
    assert f'"{url}#v1" = "{first}' in lock
    assert f'"{url}#HEAD" = "{second}' in lock
    assert f"#{first}" not in lock
    asked = len(web.seen)
    (repository / "file").write_text("third")
    git(repository, "commit", "-qam", "third")
    assert steps_run(project.build()) == []
    assert len(web.seen) == asked
    os.unlink(project.directory / "pybuild.lock")
    assert project.image().text("/head/file") == "third"
    project.build("--locked")
    os.unlink(project.directory / "pybuild.lock")
    done = project.build("--locked", code=None)
    assert "error[E0802]" in done.err


def test_git_says_what_is_wrong(project: Project, web: Web, repository: Path) -> None:
    url = web.url("/main/.git")
    project.write(f'target a:\n    from scratch\n    copy "." from git("{url}", ref="nothing") to "/"\n')
    done = project.build(code=1)
    assert "error[R0002]" in done.err
    assert "build.pybuild:5:19" in done.err
    assert "nothing" in done.err
    project.write(f'target a:\n    from scratch\n    copy "." from git("{url}", subdir="no") to "/"\n')
    done = project.build(code=1)
    assert "build.pybuild:5:" in done.err


def test_a_machine_without_git(project: Project, web: Web) -> None:
    """Said where a repository is asked for, and nowhere else."""
    tools = project.place / "bin"
    tools.mkdir()
    for directory in os.environ["PATH"].split(":"):
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            if not name.startswith("git") and not (tools / name).exists():
                (tools / name).symlink_to(f"{directory}/{name}")
    project.environment["PATH"] = str(tools)
    project.write(
        f"""
default a
target a:
    from BASE
    run echo ${{{{vcs.commit}}}} > /c
    output "/c" to "c"
target b:
    from scratch
    copy "." from git("{web.url("/main/.git")}") to "/"
"""
    )
    project.build()
    assert project.text("c") == "unknown\n"
    done = project.build("b", code=1)
    assert "git" in done.err
    assert "install" in done.err
    assert "build.pybuild:10:" in done.err


# http


def test_http(project: Project, web: Web) -> None:
    packed = archive(**{"top/bin/tool": b"tool", "top/readme": b"r"})
    web.files.update({"/dir/a.tar.gz": packed, "/plain?x=1": b"plain", "/script": b"#!/bin/sh\necho ran\n"})
    project.write(
        f"""
let packed = http("{web.url("/dir/a.tar.gz")}", sha256="{sha256(packed).hexdigest()}", unpack=true, strip=1)
target a:
    from BASE
    copy "." from packed to "/tool"
    copy "bin/tool" from packed to "/bin/tool"
    copy "a.tar.gz" from http("{web.url("/dir/a.tar.gz")}") to "/"
    copy "." from http("{web.url("/dir/a.tar.gz")}", unpack=true) to "/whole"
    copy "plain" from http("{web.url("/plain?x=1")}") to "/"
    copy "named" from http("{web.url("/script")}", name="named", mode=0o755) to "/"
    run /named > /ran
"""
    )
    image = project.image()
    assert image.below("/tool") == ["bin/tool", "readme"]
    assert image.below("/whole") == ["top/bin/tool", "top/readme"]
    assert image.files["/tool/bin/tool"].mode == 0o755
    assert image.files["/a.tar.gz"].data == packed
    assert (image.text("/plain"), image.text("/ran")) == ("plain", "ran\n")
    assert (image.files["/plain"].mode, image.files["/named"].mode) == (0o644, 0o755)
    lock = project.text("pybuild.lock")
    assert f'"{web.url("/script")}" = "sha256:{sha256(web.files["/script"]).hexdigest()}"' in lock
    web.files["/script"] = b"#!/bin/sh\necho changed\n"
    assert steps_run(project.build()) == []


def test_http_says_what_is_wrong(project: Project, web: Web) -> None:
    web.files["/f"] = b"f"
    text = 'target a:\n    from scratch\n    copy "." from http("%s"%s) to "/"\n'
    project.write(text % (web.url("/none"), ""))
    done = project.build(code=1)
    assert "error[R0002]" in done.err
    assert "build.pybuild:5:19" in done.err
    project.write(text % (web.url("/f"), f', sha256="{sha256(b"other").hexdigest()}"'))
    done = project.build(code=1)
    assert "error[R0003]" in done.err
    assert "build.pybuild:5:19" in done.err


def test_a_locked_download_that_differs(project: Project, web: Web) -> None:
    web.files["/f"] = b"f"
    project.write(f'target a:\n    from scratch\n    copy "." from http("{web.url("/f")}") to "/"\n')
    project.build()
    web.files["/f"] = b"g"
    other = project.at(project.place / "other")
    other.store = project.place / "other-store"
    other.write(project.text("build.pybuild").removeprefix("# syntax=pybuild:1\n\n"))
    other.put({"pybuild.lock": project.text("pybuild.lock")})
    done = other.build(code=1)
    assert "error[E0803]" in done.err
    assert "build.pybuild:5:19" in done.err


def test_logins(project: Project, web: Web) -> None:
    """A header for downloads, a token for repositories; neither is left anywhere."""
    web.files["/f"] = b"f"
    web.rules.append(
        lambda handler: (
            handler.headers.get("Authorization") != "Bearer t0ken-of-mine" and handler.answer(401, b"")
        )
    )
    project.write(
        f"""
target a:
    from scratch
    copy "f" from http("{web.url("/f")}", auth=[secret("login")]) to "/f"
"""
    )
    done = project.build(code=1)
    assert "login" in done.err
    image = project.image("--secret=login=env:L", L="Bearer t0ken-of-mine")
    assert image.text("/f") == "f"
    assert "t0ken" not in str(image)
