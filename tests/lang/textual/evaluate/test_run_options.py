"""Run options as the recipe has them, and what they refuse."""

from __future__ import annotations

import pytest
from tests.lang.textual.evaluate.scenes import Stage

from pybuild.lang import recipe
from pybuild.lang.recipe import Variable
from pybuild.lang.textual.types import OPTION, ListOf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'cache("/root/.cache/")',
            recipe.CacheMount("/root/.cache", "/root/.cache", "project", "shared", None, None, None, 0o755),
        ),
        (
            'cache("/c", id="x", scope="user", sharing="locked", seed=scratch, uid=1, gid=2, mode=0o700)',
            recipe.CacheMount("/c", "x", "user", "locked", None, 1, 2, 0o700),
        ),
        ('secret("t")', recipe.SecretMount("t", "/run/secrets/t", "", False, 0, 0, 0o400, "")),
        (
            'secret("t", env="TOKEN", rev="2")',
            recipe.SecretMount("t", "", "TOKEN", False, 0, 0, 0o400, "2"),
        ),
        (
            'secret("t", at="/etc/pip.conf", optional=true, uid=1, gid=2, mode=0o440)',
            recipe.SecretMount("t", "/etc/pip.conf", "", True, 1, 2, 0o440, ""),
        ),
        ("ssh()", recipe.AgentMount("default", "", False)),
        ('ssh("work", at="/a", optional=true)', recipe.AgentMount("work", "/a", True)),
        ('tmpfs("/tmp")', recipe.TmpfsMount("/tmp", 0)),
        ('tmpfs("/tmp", size=256MiB)', recipe.TmpfsMount("/tmp", 256 << 20)),
        (
            'env(A="x", B="$A:${B}", C=1, D="", E=true)',
            recipe.RunEnv(
                (
                    ("A", ("x",)),
                    ("B", (Variable("A", "$A"), ":", Variable("B", "${B}"))),
                    ("C", ("1",)),
                    ("D", ()),
                    ("E", ("true",)),
                )
            ),
        ),
        ('user("app")', recipe.RunUser("app")),
        ('workdir("src")', recipe.RunWorkdir("src")),
        ('network("none")', recipe.Network("none")),
        ('device("nvidia.com/gpu=all", optional=true)', recipe.Device("nvidia.com/gpu=all", True)),
        ("insecure()", recipe.Insecure()),
        ('host("db", "127.0.0.1")', recipe.ExtraHost("db", "127.0.0.1")),
        ('host("db.x", ip="::1")', recipe.ExtraHost("db.x", "::1")),
        ("limits(memory=1GiB, cpus=2)", recipe.Limits(1 << 30, 2, 0)),
        ("limits(pids=10)", recipe.Limits(0, 0, 10)),
        ("uncached()", recipe.Uncached()),
        ('ssh() if true else cache("/c")', recipe.AgentMount("default", "", False)),
    ],
)
def test_option(text: str, expected: recipe.Option) -> None:
    assert Stage().value(text, OPTION) == expected


def test_a_bind_mount() -> None:
    mount = Stage().value('bind(image("a"), at="/src/", path="out/./x", rw=true)', OPTION)
    assert isinstance(mount, recipe.BindMount)
    assert (mount.at, mount.path, mount.rw) == ("/src", "/out/x", True)
    assert isinstance(mount.state, recipe.Image)
    whole = Stage().value('bind(context, at="/src")', OPTION)
    assert isinstance(whole, recipe.BindMount)
    assert (whole.path, whole.rw) == ("/", False)


def test_a_cache_that_starts_with_a_state() -> None:
    mount = Stage().value('cache("/c", seed=image("a"))', OPTION)
    assert isinstance(mount, recipe.CacheMount)
    assert isinstance(mount.seed, recipe.Image)


def test_lists_of_options() -> None:
    stage = Stage("let more = [ssh(), uncached()]\n")
    options = (recipe.AgentMount("default", "", False), recipe.Uncached())
    assert stage.value("more", OPTION) == options
    assert stage.value("more + [uncached()]", ListOf(OPTION)) == (*options, recipe.Uncached())
    assert stage.value('[host("a", "1.1.1.1")]', ListOf(OPTION)) == (recipe.ExtraHost("a", "1.1.1.1"),)
    assert stage.value('[host("a", "1.1.1.1")]', OPTION) == (recipe.ExtraHost("a", "1.1.1.1"),)


def test_an_option_knows_its_place() -> None:
    mount = Stage().value('  cache("/c")', OPTION)
    assert isinstance(mount, recipe.CacheMount)
    assert mount.span is not None
    assert (mount.span.column, mount.span.end_column) == (12, 23)


@pytest.mark.parametrize(
    ("text", "code", "title"),
    [
        ('cache("root")', "E0514", "the mount point `root` is relative"),
        ('cache("/")', "E0514", "nothing can be mounted on `/`"),
        ('cache("/a/..")', "E0514", "nothing can be mounted"),
        ('cache("/../a")', "E0514", ""),
        ('cache("$HOME/.cache")', "E0106", "`$HOME` is not expanded"),
        ('cache("/c", id="")', "E0603", "needs an id"),
        ('cache("/c", uid=-1)', "E0515", "`-1` is not a user id"),
        ('cache("/c", gid=4294967295)', "E0515", "not a group id"),
        ('cache("/c", mode=0o10000)', "E0515", "`0o10000` is not a file mode"),
        ('cache("/c", sharing="lockd")', "E0309", ""),
        ('bind(scratch, at="x")', "E0514", "relative"),
        ('bind(scratch, at="/x", path="../y")', "E0513", "leaves"),
        ('secret("")', "E0603", "needs the id of a secret"),
        ('secret("a", at="/b", env="C")', "E0514", "a file or a variable"),
        ('secret("a", env="1C")', "E0603", "not a variable's name"),
        ('secret("../../etc/passwd")', "E0514", ""),
        ('secret("$X")', "E0106", "`$X`"),
        ('ssh(at="a")', "E0514", "relative"),
        ('tmpfs("a")', "E0514", "relative"),
        ('network("some")', "E0309", ""),
        ('device("")', "E0603", "needs a device"),
        ('user("")', "E0603", "needs a user"),
        ('host("a b", "1.1.1.1")', "E0603", "not a host name"),
        ('host("a", "1.1.1")', "E0603", "not an IP address"),
        ("limits(cpus=0)", "E0603", "not a limit"),
        ("limits(pids=-1)", "E0603", "not a limit"),
        ("limits(memory=0KB)", "E0603", "not a limit"),
    ],
)
def test_what_is_refused(text: str, code: str, title: str) -> None:
    failure = Stage().failure(text, OPTION)
    assert failure.code == code
    assert title in failure.title
    assert failure.span is not None
