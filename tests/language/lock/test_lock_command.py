"""`pybuild lock`: what it looks at, what it moves, what it prints."""

from __future__ import annotations

import pytest
from tests.language.lock.outside import FROM_HOST, Outside, digest, locked
from tests.language.project import Project

pytestmark = pytest.mark.root


def test_every_target_without_building(project: Project, outside: Outside) -> None:
    one, two = outside.file("one", "1\n"), outside.file("two", "2\n")
    image, index = outside.image("img", file="x\n")
    project.write(f"""
{FROM_HOST}
param token: str

target a:
    from box
    run exit 1
    copy "one" from http("{one}") to "/one"

test b for n in ["x", "y"] on "linux/amd64", "linux/arm64":
    from "{image}"
    write n to "/n"

target c:
    from scratch
    write token to "/t"
    copy "two" from http("{two}") to "/two"

default a
""")
    said = project.run("lock")
    assert said.out.split("\n") == [
        f"added http {one} = {digest(chr(49) + chr(10))}",
        f"added image {image} = {index}",
        "skipped c: not set: token",
        "",
    ]
    assert project.run("lock", "-p", "token=x").out == f"added http {two} = {digest(chr(50) + chr(10))}\n"
    assert project.run("lock", "-p", "token=x").out == "pybuild.lock is up to date: 3 entries\n"
    assert not [
        request for request in outside.registry.seen("GET", "/blobs/") if _is_layer(outside, request.path)
    ]


def _is_layer(outside: Outside, path: str) -> bool:
    data = outside.registry.blobs["img"].get(path.rpartition("/")[2], b"")
    return data[:2] == b"\x1f\x8b"


def test_named_targets(project: Project, outside: Outside) -> None:
    one, two = outside.file("one", "1\n"), outside.file("two", "2\n")
    project.write(f"""
target a:
    from scratch
    copy "one" from http("{one}") to "/one"

target b:
    from scratch
    copy "two" from http("{two}") to "/two"
""")
    project.run("lock", "b")
    assert list(locked(project)["http"]) == [two]
    assert "error[E0707]" in project.run("lock", "c", code=2).err


def moving(project: Project, outside: Outside) -> tuple[str, str, str]:
    url = outside.repository("app", {"data": "one\n"}, "v1")
    file = outside.file("f", "1\n")
    image, _ = outside.image("img", file="1\n")
    project.write(f"""
target a:
    from "{image}"
    copy "data" from git("{url}", ref="v1") to "/git"
    copy "f" from http("{file}") to "/http"
""")
    project.run("lock")
    outside.change("app", {"data": "two\n"}, "v1")
    outside.file("f", "2\n")
    outside.image("img", file="2\n")
    return f"{url}#v1", file, image


def test_nothing_moves_by_itself(project: Project, outside: Outside) -> None:
    moving(project, outside)
    before = project.text("pybuild.lock")
    assert project.run("lock").out == "pybuild.lock is up to date: 3 entries\n"
    assert project.text("pybuild.lock") == before


def test_update_moves_all(project: Project, outside: Outside) -> None:
    git, file, image = moving(project, outside)
    before = locked(project)
    lines = project.run("lock", "--update").out.splitlines()
    after = locked(project)
    assert lines == [
        f"moved git {git} = {before['git'][git]} -> {after['git'][git]}",
        f"moved http {file} = {digest(chr(49) + chr(10))} -> {digest(chr(50) + chr(10))}",
        f"moved image {image} = {before['image'][image]} -> {after['image'][image]}",
    ]
    assert project.run("lock", "--update").out == "pybuild.lock is up to date: 3 entries\n"


def test_update_moves_what_a_pattern_matches(project: Project, outside: Outside) -> None:
    git, _file, _image = moving(project, outside)
    lines = project.run("lock", "--update", "*#v1").out.splitlines()
    assert [line.split()[:3] for line in lines] == [["moved", "git", git]]
    assert project.run("lock", "--update", "nothing").out == "pybuild.lock is up to date: 3 entries\n"


def test_update_removes_what_nothing_uses(project: Project, outside: Outside) -> None:
    one, two = outside.file("one", "1\n"), outside.file("two", "2\n")
    text = 'target a:\n    from scratch\n    copy "{name}" from http("{url}") to "/f"\n'
    project.write(text.format(name="one", url=one))
    project.run("lock")
    project.write(text.format(name="two", url=two) + "\ntarget b:\n    from a\n")
    project.build("a")
    assert set(locked(project)["http"]) == {one, two}
    assert project.run("lock").out == "pybuild.lock is up to date: 2 entries\n"
    assert project.run("lock", "--update", "b").out == "pybuild.lock is up to date: 2 entries\n"
    said = project.run("lock", "--update", "*one", "b").out
    assert said == "pybuild.lock is up to date: 2 entries\n"
    assert project.run("lock", "--update", "*one").out == f"removed http {one}\n"


def test_what_is_skipped_keeps_its_entries(project: Project, outside: Outside) -> None:
    one = outside.file("one", "1\n")
    project.write(f"""
param version: str

target a:
    from scratch
    write version to "/v"
    copy "one" from http("{one}") to "/f"
""")
    project.run("lock", "-p", "version=1")
    assert project.run("lock", "--update").out.splitlines() == [
        "pybuild.lock is up to date: 1 entry",
        "skipped a: not set: version",
    ]
    assert list(locked(project)["http"]) == [one]


def test_locked_changes_nothing(project: Project, outside: Outside) -> None:
    one = outside.file("one", "1\n")
    project.write(f'target a:\n    from scratch\n    copy "one" from http("{one}") to "/f"\n')
    assert "error[E0802]" in project.run("lock", "--locked", code=2).err
    assert not (project.directory / "pybuild.lock").exists()
    project.run("lock")
    assert project.run("lock", "--locked").out == "pybuild.lock is up to date: 1 entry\n"
    assert "leave one out" in project.run("lock", "--locked", "--update", code=2).err


def test_all_failures_at_once(project: Project, outside: Outside) -> None:
    project.write(f"""
target a:
    from "{outside.registry.host}/none:1"
    copy "x" from http("{outside.files.url("/none")}") to "/f"
    copy "y" from http("{outside.files.url("/nothing")}") to "/g"
""")
    said = project.run("lock", code=1).err
    assert said.count("error[R0002]") == 3
    assert "build.pybuild:4:10" in said
    assert "build.pybuild:5:19" in said
    assert "build.pybuild:6:19" in said
    assert not (project.directory / "pybuild.lock").exists()


def test_a_dockerfile_has_no_lock(project: Project) -> None:
    project.put({"Dockerfile": "FROM scratch\n"})
    assert "has no references to lock" in project.run("lock", code=2).err
