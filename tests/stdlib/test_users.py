"""`users`: user databases as real programs read them, over busybox and over the tools of this machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.runtime.registry.behaving import Registry
from tests.support.standins.images import answer_for_all

pytestmark = [pytest.mark.root, pytest.mark.crun]

HEAD = """# syntax=pybuild:1

use users

let machine = host(["sh", "id", "stat"])

# busybox, whose files have users and groups: user (1000:1000), staff (50).
target box:
    from "base"
    write "root:!:19000:0:99999:7:::\\nuser:!:19000:0:99999:7:::" to "/etc/shadow"
    write "root:!::\\n" to "/etc/gshadow"

"""


@pytest.fixture(scope="module")
def shared(places: Path, base: Path, registry: Registry) -> Iterator[Builder]:
    """A builder with one store for all builds of this file."""
    builder = Builder(places / "users", base)
    answer_for_all(builder, registry)
    yield builder
    shutil.rmtree(builder.place, ignore_errors=True)


def build(builder: Builder, name: str, body: str, code: int = 0) -> str:
    """What a target with these statements leaves at /told, or else what the build says."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    context = builder.context(name)
    (context / "build.pybuild").write_text(f'{HEAD}target told:\n{lines}    output "/told" to "told"\n')
    outcome = builder.run("build", "--progress=plain", "--target=told", context, code=code)
    return (context / "told").read_text() if code == 0 else outcome.err


def test_a_user(shared: Builder) -> None:
    told = build(
        shared,
        "plain",
        """
from box
users.add("app")
user "app"
workdir "/tmp"
with user("root"):
    run id app > /told; tail -n1 -q /etc/passwd /etc/group /etc/shadow /etc/gshadow >> /told; ls /etc >> /told
""",
    )
    assert told.splitlines() == [
        "uid=10001(app) gid=10001(app) groups=10001(app)",
        "app:x:10001:10001::/nonexistent:/sbin/nologin",
        "app:x:10001:",
        "app:!:::::::",
        "app:!::",
        *"apk apt group gshadow hosts passwd resolv.conf shadow".split()[1:],
    ]


def test_what_was_there_stays(shared: Builder) -> None:
    """Also a last line that has no line end."""
    told = build(
        shared,
        "kept",
        """
from box
run cat /etc/passwd /etc/shadow > /before
users.add("app")
run cat /etc/passwd /etc/shadow > /after; (diff /before /after || true) | grep '^[-+]' > /told
""",
    )
    added = [line for line in told.splitlines() if line.startswith("+") and not line.startswith("+++")]
    gone = [line for line in told.splitlines() if line.startswith("-") and not line.startswith("---")]
    assert added[-1] == "+app:!:::::::"
    assert set(gone) <= {"-user:!:19000:0:99999:7:::"}
    assert "+app:x:10001:10001::/nonexistent:/sbin/nologin" in added


def test_with_all_that_a_user_has(shared: Builder) -> None:
    told = build(
        shared,
        "full",
        """
from box
user "user"
users.add("web", uid=500, gid=50, home="/srv/web", login="/bin/sh", groups=["daemon", "adm"])
users.add("web", uid=500, gid=50, groups=["adm"])
with user("web"):
    run id
with user("root"):
    run:
        id web > /told
        grep web /etc/passwd >> /told
        stat -c '%a %u:%g' /srv/web >> /told
        grep '^adm' /etc/group >> /told
""",
    )
    assert told.splitlines() == [
        "uid=500(web) gid=50(staff) groups=50(staff),1(daemon),4(adm)",
        "web:x:500:50::/srv/web:/bin/sh",
        "750 500:50",
        "adm:x:4:root,daemon,web",
    ]


def test_over_the_tools_of_a_distribution(shared: Builder) -> None:
    told = build(
        shared,
        "machine",
        """
from machine
users.add("app", home="/home/app")
user "app"
with user("root"):
    run (id app; stat -c '%U %G %a' /home/app) > /told
run test "$(id -u):$(id -g)" = 10001:10001
""",
    )
    assert told.splitlines() == ["uid=10001(app) gid=10001(app) groups=10001(app)", "app app 750"]


@pytest.mark.parametrize(
    ("name", "call", "message"),
    [
        ("uid", 'users.add("app", uid=1000)', "user user has the uid 1000"),
        ("name", 'users.add("user")', "user user has the uid 1000"),
        ("group", 'users.add("user", uid=1000, gid=7)', "user user has the group 1000"),
        ("gid", 'users.add("staff")', "group staff has the gid 50"),
        ("unknown", 'users.add("app", groups=["adm", "wheel"])', "there is no group wheel"),
    ],
)
def test_what_does_not_go_together(shared: Builder, name: str, call: str, message: str) -> None:
    said = build(shared, name, f"from box\n{call}\nrun true > /told", code=1)
    assert f"users.add: {message}" in said


@pytest.mark.parametrize("name", ["", "a:b"])
def test_what_is_no_name(shared: Builder, name: str) -> None:
    said = build(shared, f"bad{len(name)}", f'from box\nusers.add("{name}")', code=2)
    assert "`name` must be a user name" in said


def test_a_name_is_data(shared: Builder) -> None:
    told = build(shared, "data", "from box\nusers.add(\"a$(echo b)\")\nrun grep -F 'a$(' /etc/passwd > /told")
    assert told == "a$(echo b):x:10001:10001::/nonexistent:/sbin/nologin\n"


def test_files_for_images_without_a_shell(shared: Builder) -> None:
    told = build(
        shared,
        "files",
        """
from box
copy "/etc/" from users.files("app", home="/srv") to "/etc/"
run cat /etc/passwd /etc/group > /told; id app >> /told
""",
    )
    assert told.splitlines() == [
        "root:x:0:0:root:/root:/sbin/nologin",
        "app:x:10001:10001::/srv:/sbin/nologin",
        "root:x:0:",
        "app:x:10001:",
        "uid=10001(app) gid=10001(app) groups=10001(app)",
    ]
