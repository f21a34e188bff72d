"""References of a build through the lock file: pinned once, obeyed from then on."""

from __future__ import annotations

import os

import pytest
from tests.language.lock.outside import FROM_HOST, Outside, digest, locked
from tests.language.project import Project

pytestmark = pytest.mark.root


def everything(outside: Outside) -> str:
    """A build file that refers to a repository, a file and an image."""
    url = outside.repository("app", {"data": "one\n"}, "v1")
    file = outside.file("f.txt", "one\n")
    image, _ = outside.image("img", file="one\n")
    return f"""
{FROM_HOST}
target app:
    from box
    copy "data" from git("{url}", ref="v1") to "/git"
    copy "f.txt" from http("{file}") to "/http"
    copy "/file" from image("{image}") to "/image"
    run cat /git /http /image
    output "/git", "/http", "/image" to "out/"
"""


def outputs(project: Project) -> list[str]:
    return [project.text(f"out/{name}").strip() for name in ("git", "http", "image")]


def test_what_is_missing_is_added(project: Project, outside: Outside) -> None:
    project.write(everything(outside))
    project.build()
    url, file = outside.git.url("/app.git"), outside.files.url("/f.txt")
    found = locked(project)
    assert list(found) == ["image", "git", "http"]
    assert found["git"] == {
        f"{url}#v1": outside.repositories.run(outside.repositories.work / "app", "rev-parse", "v1")
    }
    assert found["http"] == {file: digest("one\n")}
    (name,) = found["image"]
    assert name == f"{outside.registry.host}/img:1"
    assert outputs(project) == ["one", "one", "one"]


def test_entries_are_obeyed_when_everything_moves(project: Project, outside: Outside) -> None:
    project.write(everything(outside))
    project.run("lock")
    before = project.text("pybuild.lock")
    outside.change("app", {"data": "two\n"}, "v1")
    outside.image("img", file="two\n")
    project.build("--locked")
    assert outputs(project) == ["one", "one", "one"]
    assert project.text("pybuild.lock") == before


def test_a_locked_build_is_offline_when_all_is_there(project: Project, outside: Outside) -> None:
    project.write(everything(outside))
    project.build()
    asked = outside.asked()
    project.build("--locked", "--no-cache")
    assert outside.asked() == asked


def test_all_that_is_missing_is_said_at_once(project: Project, outside: Outside) -> None:
    project.write(everything(outside))
    asked = outside.asked()
    said = project.build("--locked", code=2).err
    assert said.count("error[E0802]") == 3
    assert said.count("needs an entry under `--locked`") == 3
    assert "pybuild lock" in said
    places = [line.strip() for line in said.splitlines() if "-->" in line]
    assert places == ["--> build.pybuild:8:22", "--> build.pybuild:9:23", "--> build.pybuild:10:23"]
    assert outside.asked() == asked
    assert not (project.directory / "pybuild.lock").exists()


def test_a_file_that_changed(project: Project, outside: Outside) -> None:
    url = outside.file("f.txt", "one\n")
    project.write(f'target app:\n    from scratch\n    copy "f.txt" from http("{url}") to "/f"\n')
    project.run("lock")
    outside.file("f.txt", "two\n")
    project.store = project.place / "other"
    said = project.build(code=1).err
    assert "error[E0803]" in said
    assert f"`{url}` differs from pybuild.lock" in said
    assert "build.pybuild:5:23" in said
    assert digest("one\n") in said
    assert digest("two\n") in said
    project.run("lock", "--update", url)
    project.build()


def test_a_checksum_that_is_written_stays_a_mismatch(project: Project, outside: Outside) -> None:
    url = outside.file("f.txt", "two\n")
    pin = digest("one\n").removeprefix("sha256:")
    project.write(
        f'target app:\n    from scratch\n    copy "f.txt" from http("{url}", sha256="{pin}") to "/f"\n'
    )
    said = project.build(code=1).err
    assert "error[R0003]" in said


def test_a_commit_that_is_gone(project: Project, outside: Outside) -> None:
    url = outside.repository("app", {"data": "one\n"})
    project.write(f'target app:\n    from scratch\n    copy "data" from git("{url}", ref="main") to "/d"\n')
    assert "W0801" in project.run("lock").err
    project.put(
        {
            "pybuild.lock": project.text("pybuild.lock").replace(
                locked(project)["git"][f"{url}#main"], "d" * 40
            )
        }
    )
    said = project.build(code=1).err
    assert "error[E0803]" in said
    assert f"`{url}#main` differs from pybuild.lock" in said


def test_an_image_that_is_gone(project: Project, outside: Outside) -> None:
    image, _found = outside.image("img", file="one\n")
    project.write(f'target app:\n    from "{image}"\n')
    project.run("lock")
    outside.registry.manifests["img"].clear()
    project.store = project.place / "other"
    said = project.build(code=1).err
    assert "error[R0002]" in said
    assert "build.pybuild:4:10" in said


def test_what_is_pinned_by_itself_needs_no_entry(project: Project, outside: Outside) -> None:
    url = outside.repository("app", {"data": "one\n"}, "v1")
    commit = outside.change("app", {"data": "two\n"})
    file = outside.file("f.txt", "one\n")
    image, found = outside.image("img", file="one\n")
    pin = digest("one\n").removeprefix("sha256:")
    project.write(f"""
target app:
    from "{image}@{found}"
    copy "data" from git("{url}", ref="{commit}") to "/git"
    copy "f.txt" from http("{file}", sha256="{pin}") to "/http"
""")
    project.build("--locked")
    assert not (project.directory / "pybuild.lock").exists()


def test_one_entry_for_all_platforms(project: Project, outside: Outside) -> None:
    image, index = outside.image("img", file="one\n")
    project.write(f'target app on "linux/amd64", "linux/arm64":\n    from "{image}"\n')
    project.build()
    assert locked(project)["image"] == {image: index}


def test_an_image_that_was_built_here_is_not_locked(project: Project, outside: Outside) -> None:
    project.write('target a:\n    from scratch\n    write "x" to "/x"\n    tag "mine:1"\n')
    project.build()
    project.write('target b:\n    from "mine:1"\n    write "y" to "/y"\n')
    project.build("--locked")
    assert project.run("lock").out == "pybuild.lock is up to date: 0 entries\n"


def test_dockerfiles_inside(project: Project, outside: Outside) -> None:
    one, found = outside.image("one", file="one\n")
    two, _ = outside.image("two", file="two\n")
    project.put({"Dockerfile": f"FROM {one} AS a\nFROM {two}\nCOPY --from=a /file /other\n"})
    project.write('target app:\n    from dockerfile("Dockerfile")\n', {})
    args = ("-f", "build.pybuild")
    said = project.build(*args, "--locked", code=2).err
    assert said.count("error[E0802]") == 2, said
    assert "Dockerfile:1:" in said
    assert "Dockerfile:2:" in said
    assert project.run("lock", *args).out.count("added image") == 2
    outside.image("one", file="moved\n")
    project.build(*args, "--locked")
    assert locked(project)["image"][one] == found


def test_branches_are_warned_of_when_they_are_resolved(project: Project, outside: Outside) -> None:
    url = outside.repository("app", {"data": "one\n"}, "v1")
    project.write(f"""
target app:
    from scratch
    copy "data" from git("{url}", ref="main") to "/a"
    copy "data" from git("{url}") to "/b"
    copy "data" from git("{url}", ref="v1") to "/c"
    # pybuild: allow W0801
    copy "data" from git("{url}", ref="refs/heads/main") to "/d"
""")
    said = project.build().err
    assert said.count("W0801") == 2
    assert "build.pybuild:5" in said
    assert "build.pybuild:6" in said
    assert "W0801" not in project.build("--no-cache").err


def test_a_directory_that_cannot_be_written(project: Project, outside: Outside) -> None:
    if os.geteuid() == 0:
        # Root may write anywhere: a directory in the file's place is what it can't overwrite.
        (project.directory / "pybuild.lock.d").mkdir()
    url = outside.file("f.txt", "one\n")
    project.write(f'target app:\n    from scratch\n    copy "f.txt" from http("{url}") to "/f"\n')
    target = project.directory / "nowhere" / "lock"
    (project.directory / "pybuild.lock").symlink_to(target)
    assert "references are not pinned" in project.build().err
    assert "cannot write" in project.run("lock", code=1).err


def test_a_replayed_build_sees_the_lock_file(project: Project, outside: Outside) -> None:
    url = outside.repository("app", {"data": "one\n"})
    first = outside.repositories.run(outside.repositories.work / "app", "rev-parse", "HEAD")
    second = outside.change("app", {"data": "two\n"})
    project.write(f"""
target app:
    from scratch
    # pybuild: allow W0801
    copy "data" from git("{url}", ref="main") to "/d"
    output "/d" to "d"
    tag "app:1"
""")
    project.build()
    assert project.text("d") == "two\n"
    project.settled()
    project.build(fresh=True)
    assert "pybuild.lang.textual.expand.expand" not in project.modules()
    project.put({"pybuild.lock": project.text("pybuild.lock").replace(second, first)})
    project.build()
    assert project.text("d") == "one\n"
