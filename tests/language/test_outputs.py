"""Files that a build writes into the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_outputs_are_those_of_requested_targets(project: Project) -> None:
    project.write(
        """
default b
target a:
    from BASE
    write "a" to "/a"
    output "/a" to "out/a"
    tag "tagged-a:1"
target b:
    from a
    write "b" to "/b"
    output "/b" to "out/b"
    tag "tagged-b:1"
group both = [a, b]
"""
    )
    done = project.build()
    assert project.names("out") == ["b"]
    assert "tagged-b:1" in done.err
    assert "tagged-a" not in done.err
    done = project.build("both")
    assert project.names("out") == ["a", "b"]
    assert "tagged-a:1" in done.err


def test_forms_of_output(project: Project) -> None:
    """Globs, directories, several sources, `clean`, a file in place of another; what else is there stays."""
    project.write(
        """
target a:
    from scratch
    write "1" to "/d/1.x"
    write "2" to "/d/e/2.x"
    write "3" to "/d/3.y"
    symlink "1.x" to "/d/link"
    output "/d" to "into/"
    output "/d" to "become"
    output "/d/" to "contents/"
    output "/d/**/*.x" to "globbed/"
    output "/d/1.x", "/d/3.y" to "several/"
    output "/d" to "cleaned", clean=true
    output "/d/1.x" to "file"
""",
        {"become/old": "", "cleaned/old": "", "cleaned/e/older": "", "file": "other"},
    )
    project.build()
    whole = ["1.x", "3.y", "e/2.x", "link"]
    assert project.names("into") == [f"d/{name}" for name in whole]
    assert project.names("become") == sorted(["old", *whole])
    assert project.names("contents") == whole
    assert project.names("globbed") == ["1.x", "e/2.x"]
    assert project.names("several") == ["1.x", "3.y"]
    assert project.names("cleaned") == whole
    assert project.text("file") == "1"


@pytest.mark.parametrize("dest", ["../out", "/tmp/out", "sub/../../out", "link/out"])
def test_an_output_stays_in_the_project(project: Project, dest: str) -> None:
    project.write(f'target a:\n    from scratch\n    write "x" to "/x"\n    output "/x" to "{dest}"\n')
    (project.directory / "link").symlink_to(project.place)
    done = project.build(code=None)
    assert done.code in (1, 2)
    assert "E0904" in done.err
    assert not (project.place / "out").exists()
    assert not Path("/tmp/out").exists()


def test_an_output_that_is_not_there(project: Project) -> None:
    """Nothing is lost: not what was there before, and not the rest."""
    project.write(
        """
target a:
    from scratch
    write "x" to "/x"
    output "/x" to "x"
    output "/none" to "kept", clean=true
""",
        {"kept/file": "f"},
    )
    done = project.build(code=1)
    assert "error[R0002]" in done.err
    assert "build.pybuild:7:" in done.err
    assert project.names("kept") == ["file"]


def test_a_failing_build_writes_nothing(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    write "x" to "/x"
    run false
    output "/x" to "x", clean=true
""",
        {"x/file": "f"},
    )
    project.build(code=1)
    assert project.names("x") == ["file"]


def test_outputs_that_collide(project: Project) -> None:
    project.write(
        """
target a for n in ["1", "2"]:
    from scratch
    write n to "/x"
    output "/x" to "x"
"""
    )
    done = project.build("a", code=2)
    assert "error[E0709]" in done.err
    project.build("a[n=2]")
    assert project.text("x") == "2"
