"""Sources, each by a build of its own."""

from __future__ import annotations

import os
import shutil

import pytest
from tests.e2e.building import steps_run
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


# States of states


def test_merge_and_diff(project: Project) -> None:
    """`merge` takes the config of its first argument, `diff` of its upper one; the last one on top."""
    project.write(
        """
default merged
target one:
    from scratch
    write "one" to "/both"
    write "1" to "/one"
    env NAME = "one"
target two:
    from scratch
    write "two" to "/both"
    write "2" to "/two"
    env NAME = "two"
target merged:
    from merge(one, two)
target changes:
    from BASE
    let before = this
    write "added" to "/added"
    remove "/etc/group"
    env NAME = "upper"
    from_diff(diff(before, this))
    cmd ["x"]
def from_diff(state: state):
    copy "/" from state to "/copied"
target difference:
    from changed()
def changed() -> state:
    from BASE
    let before = this
    write "added" to "/added"
    remove "/etc/group"
    env NAME = "upper"
    return diff(before, this)
"""
    )
    merged = project.image("merged")
    assert {path: one.data for path, one in merged.files.items() if one.kind == "file"} == {
        "/both": b"two",
        "/one": b"1",
        "/two": b"2",
    }
    assert merged.config["Env"][-1] == "NAME=one"
    difference = project.image("difference")
    assert {path for path, one in difference.files.items() if one.kind != "dir"} == {
        "/added",
        "/etc/.wh.group",
    }
    assert difference.config["Env"][-1] == "NAME=upper"
    assert project.image("changes").below("/copied") == ["added"]


def test_scratch(project: Project) -> None:
    project.write('target a:\n    from scratch\n    label "a" = "b"\n')
    image = project.image()
    assert (image.layers, image.config["Labels"]) == ((), {"a": "b"})
    assert "Cmd" not in image.config


def test_local_directories(project: Project) -> None:
    """`include` and `exclude`; one outside of the project has to be allowed."""
    text = """
target a:
    from scratch
    copy "." from local("sub", include=["**/*.txt"], exclude=["*/no.txt"]) to "/in"
    copy "." from local("%s") to "/out"
"""
    outside = project.place / "outside"
    outside.mkdir()
    (outside / "o").write_text("o")
    project.write(text % outside, {"sub/a.txt": "", "sub/b.bin": "", "sub/d/no.txt": "", "sub/d/yes.txt": ""})
    done = project.build(code=2)
    assert "error[E0903]" in done.err
    assert f"--allow read={outside}" in done.err
    image = project.image(f"--allow=read={outside}")
    assert (image.below("/in"), image.below("/out")) == (["a.txt", "d/yes.txt"], ["o"])
    project.write(text % "../outside")
    assert "error[E0903]" in project.build(code=2).err
    project.image(f"--allow=read={project.place}")


def test_a_local_directory_is_not_left_by_a_link(project: Project) -> None:
    outside = project.place / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    project.write('target a:\n    from scratch\n    copy "." from local("link") to "/"\n')
    (project.directory / "link").symlink_to(outside)
    done = project.build(code=2)
    assert "error[E0903]" in done.err
    assert f"--allow read={outside}" in done.err
    assert project.image(f"--allow=read={outside}").below("/") == ["secret"]
    (project.directory / "sub").mkdir()
    (project.directory / "link").unlink()
    (project.directory / "link").symlink_to("sub")
    assert project.settled().code == 0
    assert project.settled().code == 0
    (project.directory / "link").unlink()
    (project.directory / "link").symlink_to(outside)
    assert "error[E0903]" in project.settled(code=2).err


def test_commands_of_the_host(project: Project) -> None:
    project.write(
        'target a:\n    from host(["sh", "wc"])\n    run wc -c /etc/passwd > /n\n    output "/n" to "n"\n'
    )
    done = project.build()
    assert "W0611" in done.err
    assert project.text("n").endswith("/etc/passwd\n")
    project.write('target a:\n    from host(["no-such-command-here"])\n')
    done = project.build(code=None)
    assert done.code in (1, 2)
    assert "no-such-command-here" in done.err
    assert "build.pybuild:4" in done.err


def test_an_oci_layout(project: Project) -> None:
    project.write('target a:\n    from oci("layout")\n    run ls /bin/busybox\n')
    (project.directory / "layout").symlink_to(project.base)
    done = project.run("build", code=2)
    assert "error[E0903]" in done.err
    project.build()
    os.unlink(project.directory / "layout")
    shutil.copytree(project.base, project.directory / "layout")
    project.build()
    project.write('target a:\n    from oci("layout:latest")\n    run ls /bin/busybox\n')
    project.build()
    project.write('target a:\n    from oci("layout:nothing")\n    run ls /bin/busybox\n')
    done = project.build(code=1)
    assert "nothing" in done.err
    assert "build.pybuild:4" in done.err


# Dockerfiles

DOCKERFILE = """\
ARG BASE=base
FROM ${BASE} AS build
ARG WHO=nobody
RUN echo "for $WHO" > /who; echo from-the-dockerfile
COPY file /file
FROM scratch
COPY --from=build /who /who
COPY --from=extra /e /e
"""


def test_stages_of_a_dockerfile(project: Project) -> None:
    project.write(
        """
param who: str = "ana"
default a
let stage = dockerfile("docker/Dockerfile", target="build", args={"WHO": who}, contexts={"base": BASE})
target extra:
    from scratch
    write "extra" to "/e"
target other:
    from scratch
    write "other" to "/file"
target a:
    from BASE
    copy "/who", "/file" from stage to "/"
    copy "/" from dockerfile("docker/Dockerfile", contexts={"base": BASE, "extra": extra}) to "/last"
    copy "/file" from dockerfile("docker/Dockerfile", context=other, target="build", contexts={"base": BASE}) to "/o"
target b:
    from stage
    run cat /who
""",
        {"docker/Dockerfile": DOCKERFILE, "file": "context"},
    )
    image = project.image()
    assert (image.text("/who"), image.text("/file"), image.text("/o")) == ("for ana\n", "context", "other")
    assert (image.text("/last/who"), image.text("/last/e")) == ("for nobody\n", "extra")
    done = project.build("b", "-p", "who=eva")
    assert [name for name in steps_run(done) if "RUN" in name or "echo" in name]
    done = project.build("b", "-p", "who=eva")
    assert "echo" in done.err
    assert steps_run(done) == []


def test_what_is_wrong_with_a_dockerfile(project: Project) -> None:
    project.write(
        'target a:\n    from dockerfile("d/Dockerfile")\n    run true\n',
        {"d/Dockerfile": "FROM scratch\nRUNN x\n"},
    )
    done = project.build(code=None)
    assert "Dockerfile:2" in done.err
    project.put({"d/Dockerfile": "FROM scratch AS x\n"})
    project.write('target a:\n    from dockerfile("d/Dockerfile", target="y")\n    run true\n')
    done = project.build(code=None)
    assert "`y`" in done.err or '"y"' in done.err or " y" in done.err
    project.write('target a:\n    from dockerfile("Nothing")\n    run true\n')
    done = project.build(code=2)
    assert "build.pybuild:4:21" in done.err


def test_a_failing_step_of_a_dockerfile(project: Project) -> None:
    project.write(
        'target a:\n    from dockerfile("d/Dockerfile", contexts={"base": BASE})\n',
        {"d/Dockerfile": "FROM base\nRUN false\n"},
    )
    done = project.build(code=1)
    assert "Dockerfile:2" in done.err
