"""What `with` gives to runs: mounts, on the engine."""

from __future__ import annotations

import subprocess

import pytest
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_a_cache_keeps_what_runs_leave(project: Project) -> None:
    project.write(
        """
param n: str
default a
target a:
    from BASE
    with cache("/c"):
        run echo ${{n}} >> /c/log; cp /c/log /log
    output "/log" to "log"
"""
    )
    project.build("-p", "n=1")
    project.build("-p", "n=2")
    assert project.text("log") == "1\n2\n"


@pytest.mark.parametrize(("scope", "kept"), [("project", "second\n"), ("user", "first\nsecond\n")])
def test_the_scope_of_a_cache(alone: Project, scope: str, kept: str) -> None:
    """Another project has caches of its own, but for those of the user."""
    text = """
param n: str
default a
target a:
    from BASE
    with cache("/c", id="shared-id", scope="%s"):
        run echo ${{n}} >> /c/log; cp /c/log /log
    output "/log" to "log"
"""
    other = alone.at(alone.place / "other")
    alone.write(text % scope)
    other.write(text % scope)
    alone.build("-p", "n=first")
    other.build("-p", "n=second")
    assert other.text("log") == kept


def test_one_project_in_two_directories(alone: Project) -> None:
    """`project` in pybuild.toml says which it is, else the repository's origin."""
    text = """
param n: str
default a
target a:
    from BASE
    with cache("/c"):
        run echo ${{n}} >> /c/log; cp /c/log /log
    output "/log" to "log"
"""
    places = [alone.at(alone.place / name) for name in ("x", "y", "z", "w")]
    for one in places:
        one.write(text)
    for one in places[:2]:
        one.put({"pybuild.toml": 'project = "same"\n'})
    for one, url in zip(places[2:], ("https://example.org/a/b.git", "git@example.org:a/b"), strict=True):
        one.git("init", "-q")
        one.git("remote", "add", "origin", url)
    for number, one in enumerate(places):
        one.build("-p", f"n={number}")
    assert [one.text("log") for one in places] == ["0\n", "0\n1\n", "2\n", "2\n3\n"]


OWNERS = """
default a
target a:
    from BASE
    %s
    with cache("/c/deep"%s):
        run stat -c "%%u:%%g %%a" /c/deep > /tmp/owner; touch /c/deep/mine
    output "/tmp/owner" to "owner"
"""


@pytest.mark.parametrize(
    ("user", "options", "owner"),
    [
        ("", "", "0:0 755"),
        ('user "user"', "", "1000:1000 755"),
        ('user "1000"', "", "1000:0 755"),
        ('user "1000:50"', "", "1000:50 755"),
        ('user "user:staff"', "", "1000:50 755"),
        ("", ", uid=7, gid=8, mode=0o700", "7:8 700"),
        ('user "user"', ", gid=50", "1000:50 755"),
        ('user "user"', ", uid=1000, mode=0o1777", "1000:0 1777"),
    ],
)
def test_the_owner_of_a_cache(project: Project, user: str, options: str, owner: str) -> None:
    """It follows the user in force, by name and by number."""
    project.write(OWNERS % (user or 'label "x" = "y"', options))
    project.build()
    assert project.text("owner").strip() == owner


def test_the_user_of_a_block_owns_its_cache(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with user("user"), cache("/c"):
        run stat -c "%u" /c > /tmp/owner; touch /c/x
    output "/tmp/owner" to "owner"
"""
    )
    project.build()
    assert project.text("owner") == "1000\n"


def test_a_seed_fills_a_cache_once(project: Project) -> None:
    project.write(
        """
param n: str
default a
target seed:
    from scratch
    write "seeded" to "/file"
target a:
    from BASE
    with user("user"), cache("/c", seed=seed, id="seeded"):
        run cat /c/file > /tmp/out; stat -c %u /c/file >> /tmp/out; echo -n ${{n}} > /c/file
    output "/tmp/out" to "out"
"""
    )
    project.build("-p", "n=1")
    assert project.text("out") == "seeded1000\n"
    project.build("-p", "n=2")
    assert project.text("out") == "11000\n"


SHARING = """
default both
target one:
    from BASE
    with cache("/c", id="%(id)s", sharing="%(sharing)s"), uncached():
        %(one)s
target two:
    from BASE
    with cache("/c", id="%(id)s", sharing="%(sharing)s"), uncached():
        %(two)s
group both = [one, two]
"""


def test_a_locked_cache_is_used_by_one_run_at_a_time(project: Project) -> None:
    """Each run fails if it meets the other."""
    script = "run mkdir /c/held; sleep 1; rmdir /c/held"
    project.write(SHARING % {"id": "locked", "sharing": "locked", "one": script, "two": script + " # two"})
    project.build("--max-parallelism=4")


def test_a_locked_cache_across_processes(project: Project) -> None:
    script = "run mkdir /c/held; sleep 1; rmdir /c/held"
    project.write(SHARING % {"id": "locked2", "sharing": "locked", "one": script, "two": script + " # two"})
    command = project.command("build", "--progress=plain", *project.allowed)
    processes = [
        subprocess.Popen(
            [*command, name],
            cwd=project.directory,
            env=project.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [one.communicate(timeout=60)[1] for one in processes]
    assert [one.returncode for one in processes] == [0, 0], said


def test_an_uncached_run_keeps_its_cache(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with cache("/c", id="kept"), uncached():
        run echo x >> /c/log; cat /c/log > /out
    output "/out" to "out"
"""
    )
    project.build()
    project.build()
    assert project.text("out") == "x\nx\n"


def test_a_shared_cache_is_used_by_runs_at_once(project: Project) -> None:
    """Each run waits for what the other leaves in it."""
    script = "run touch /c/%s; for i in $(seq 100); do [ -e /c/%s ] && exit 0; sleep 0.1; done; exit 1"
    one, two = script % ("a", "b"), script % ("b", "a")
    project.write(SHARING % {"id": "shared", "sharing": "shared", "one": one, "two": two})
    project.build("--max-parallelism=4")


def test_a_private_cache_is_another_one_for_a_run_at_the_same_time(project: Project) -> None:
    script = "run [ ! -e /c/held ]; touch /c/held; sleep 1; rm /c/held"
    project.write(SHARING % {"id": "private", "sharing": "private", "one": script, "two": script + " # two"})
    project.build("--max-parallelism=4")


def test_a_cache_is_in_no_layer(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with cache("/c/d"):
        run touch /c/d/inside /outside
"""
    )
    assert set(project.image().layers[-1]) <= {"/outside", "/c", "/c/d"}


# bind and tmpfs


def test_binds(project: Project) -> None:
    """The context, a part of it, another target; what is written to one is dropped."""
    project.write(
        """
default a
target other:
    from scratch
    write "other" to "/dir/file"
target a:
    from BASE
    with [
        bind(context, at="/context"),
        bind(context, at="/part", path="sub"),
        bind(context, at="/file", path="sub/f"),
        bind(other, at="/other", path="/dir"),
        bind(other, at="/rw", rw=true),
    ]:
        run:
            cat /context/sub/f /part/f /file /other/file > /out
            ! touch /context/x
            echo changed > /rw/dir/file
            touch /rw/new
    with bind(other, at="/rw", rw=true):
        run:
            cat /rw/dir/file >> /out
            [ ! -e /rw/new ]
    output "/out" to "out"
""",
        {"sub/f": "f"},
    )
    image = project.image()
    assert project.text("out") == "fffotherother"
    assert image.files["/out"].data == b"fffotherother"
    assert not [path for path in image.files if path.startswith("/rw/")]


def test_a_bind_of_this(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    write "before" to "/file"
    let before = this
    write "after" to "/file"
    with bind(before, at="/before"):
        run cat /before/file /file > /out
    output "/out" to "out"
"""
    )
    project.build()
    assert project.text("out") == "beforeafter"


def test_the_size_of_a_tmpfs(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with tmpfs("/t", size=1MiB):
        run:
            head -c 500000 /dev/zero > /t/half
            ! head -c 2000000 /dev/zero > /t/whole
    run [ ! -e /t/half ]
target b:
    from BASE
    with tmpfs("/t"):
        run head -c 5000000 /dev/zero > /t/file
"""
    )
    project.build("a", "b")
