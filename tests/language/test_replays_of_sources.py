"""Second builds of what comes from elsewhere: the lock file, images, the machine's commands, repositories."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.language.project import Project, git
from tests.language.replaying import edit, replayed
from tests.runtime.registry.behaving import Registry

pytestmark = [pytest.mark.root, pytest.mark.crun]


@pytest.fixture
def registry() -> Iterator[Registry]:
    found = Registry()
    yield found
    found.close()


def test_the_lock_file(project: Project, registry: Registry) -> None:
    """An image is what the lock file says, and what it names when that is gone."""
    maker = project.at(project.place / "maker")
    digests = []
    for version in ("1", "2"):
        name = f"{registry.host}/img:{version}"
        maker.write(f'target a:\n    from BASE\n    write "{version}" to "/version"\n    tag "{name}"\n')
        digests.append(maker.build("--push").digest)
    registry.manifests["img"]["latest"] = registry.manifests["img"]["1"]
    project.store = project.place / "own-store"
    project.write(
        f'target a:\n    from "{registry.host}/img:latest"\n    run cp /version /v\n    output "/v" to "v"\n'
    )
    replayed(project)
    assert project.text("v") == "1"
    assert digests[0] in project.text("pybuild.lock")
    registry.manifests["img"]["latest"] = registry.manifests["img"]["2"]
    replayed(project)
    assert project.text("v") == "1"
    edit(project, "pybuild.lock", digests[0], digests[1])
    project.settled()
    assert project.text("v") == "2"
    replayed(project)
    edit(project, "pybuild.lock", digests[1], digests[0])
    project.settled()
    assert project.text("v") == "1"
    (project.directory / "pybuild.lock").unlink()
    project.settled("--pull")
    assert project.text("v") == "2"
    assert digests[1] in project.text("pybuild.lock")


def test_commands_of_the_host_that_change(project: Project) -> None:
    tools = project.place / "tools"
    tools.mkdir()
    (tools / "mytool").write_text("#!/bin/sh\necho one\n")
    (tools / "mytool").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    project.write('target a:\n    from host(["sh", "mytool"])\n    run mytool > /v\n    output "/v" to "v"\n')
    time.sleep(2.1)
    replayed(project, PATH=path)
    assert project.text("v") == "one\n"
    (tools / "mytool").write_text("#!/bin/sh\necho two\n")
    project.settled(PATH=path)
    assert project.text("v") == "two\n"


def test_a_layout_that_changes(project: Project) -> None:
    maker = project.at(project.place / "maker")

    def layout(version: str) -> None:
        maker.write(f'target a:\n    from scratch\n    write "{version}" to "/v"\n')
        maker.build("-o", f"type=oci,dest={project.directory}/layout,tar=false")

    layout("1")
    project.write('target a:\n    from oci("layout")\n    output "/v" to "v"\n')
    replayed(project)
    layout("2")
    project.settled()
    assert project.text("v") == "2"


def test_a_dockerfile_that_changes(project: Project) -> None:
    project.write(
        """
target a:
    from scratch
    copy "/" from dockerfile("d/Dockerfile") to "/"
    output "/" to "out", clean=true
""",
        {"d/Dockerfile": "FROM scratch\nCOPY one* /\n", "one": "1", "one2": "2"},
    )
    replayed(project)
    project.put({"d/Dockerfile.dockerignore": "one2\n"})
    project.settled()
    assert project.names("out") == ["one"]
    replayed(project)
    project.put({"d/Dockerfile": "FROM scratch\nCOPY one /two\n"})
    project.settled()
    assert project.names("out") == ["two"]
    project.put({"one": "changed"})
    project.settled()
    assert project.text("out/two") == "changed"


def test_a_dirty_tree_is_looked_at_every_time(project: Project) -> None:
    project.write(
        'target a:\n    from scratch\n    write str(vcs.dirty) to "/v"\n    output "/v" to "v"\n', {"f": "1"}
    )
    project.git("init", "-q")
    project.git("add", "f")
    project.git("commit", "-qm", "f")
    project.settled()
    assert project.text("v") == "false"
    project.put({"f": "2"})
    project.settled()
    assert project.text("v") == "true"


def test_a_repository_that_appears(project: Project) -> None:
    above = project.directory.parent
    project.write('target a:\n    from scratch\n    write vcs.branch to "/v"\n    output "/v" to "v"\n')
    project.settled()
    project.settled()
    assert project.text("v") == "unknown"
    git(above, "init", "-q", "-b", "above")
    project.settled()
    assert project.text("v") == "above"


def test_a_repository_appears_after_a_replay_without_vcs(project: Project) -> None:
    """What is the project (for outputs and caches) hangs on the repository too."""
    project.write('target a:\n    from scratch\n    write "x" to "/v"\n    output "/v" to "v"\n')
    replayed(project)
    project.git("init", "-q")
    replayed(project)


@pytest.mark.parametrize("where", ["worktree", "submodule"])
def test_repositories_of_other_shapes(project: Project, where: str) -> None:
    main = project.place / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "trunk")
    git(main, "commit", "-q", "--allow-empty", "-m", "one")
    if where == "worktree":
        git(main, "worktree", "add", "-q", str(project.place / "tree"), "-b", "work")
        there = project.at(project.place / "tree")
    else:
        upper = project.place / "upper"
        upper.mkdir()
        git(upper, "init", "-q")
        git(upper, "submodule", "-q", "add", str(main), "sub")
        there = project.at(upper / "sub")
    there.write(
        'target a:\n    from scratch\n    write vcs.commit + " " + vcs.describe to "/v"\n    output "/v" to "v"\n'
    )
    replayed(there)
    for command in (("commit", "-q", "--allow-empty", "-m", "two"), ("tag", "v1"), ("tag", "-d", "v1")):
        there.git(*command)
        there.settled()
        commit, describe = there.git("rev-parse", "HEAD"), there.git("describe", "--tags", "--always")
        assert there.text("v") == f"{commit} {describe}"


def test_needs_and_tests_in_replays(project: Project) -> None:
    project.write(
        """
test t:
    from BASE
    copy "checked" to "/c"
    run [ "$(cat /c)" = good ]
target a:
    from scratch
    write "x" to "/x"
    needs t
    output "/x" to "x"
default a
""",
        {"checked": "good"},
    )
    replayed(project)
    project.put({"checked": "evil"})
    project.settled(code=1)
    project.put({"checked": "good"})
    project.settled()


def test_images_in_replays(project: Project) -> None:
    project.write('target a:\n    from BASE\n    copy "f" to "/f"\n    tag "replayed:1"\n', {"f": "1"})
    first = project.settled("-q").out
    replayed(project, "-q")
    assert project.build("-q").out == first
    project.put({"f": "2"})
    changed = project.settled("-q").out
    assert changed != first
    project.put({"f": "1"})
    assert project.settled("-q").out == first


def test_another_build_file(project: Project) -> None:
    project.write('target a:\n    from scratch\n    write "x" to "/x"\n    output "/x" to "x"\n')
    other = Path(project.directory / "other.pybuild")
    other.write_text(project.text("build.pybuild").replace('"x" to', '"other" to'))
    replayed(project, "-f", "other.pybuild")
    assert project.text("x") == "other"
    replayed(project)
    assert project.text("x") == "x"


@pytest.mark.parametrize("scope", ["project", "user"])
def test_a_rebuild_uses_the_same_caches(project: Project, scope: str) -> None:
    """A change of a file that is copied: the build starts from the plan of the earlier one."""
    project.write(
        f"""
target a:
    from BASE
    copy "src" to "/src"
    with cache("/c", id="of-rebuilds-{scope}", scope="{scope}"):
        run cat /src/f >> /c/log; cp /c/log /log
    output "/log" to "log"
""",
        {"src/f": "1"},
    )
    replayed(project)
    assert project.text("log") == "1"
    project.put({"src/f": "2"})
    project.settled(fresh=True)
    assert "pybuild.cli.rebuild" in project.modules()
    assert project.text("log") == "12"
    project.put({"src/f": "3", "pybuild.toml": ""})
    project.settled(fresh=True)
    assert "pybuild.cli.rebuild" not in project.modules()
    assert project.text("log") == "123"
