"""Users and groups by the image's own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.runtime.sandbox import rootpath
from pybuild.runtime.sandbox.errors import SandboxError
from pybuild.runtime.sandbox.users import Identity, resolve_user
from pybuild.runtime.snapshots.types import Node, Resolution, Tree

PASSWD = """root:x:0:0:root:/root:/bin/sh
# comment
app:x:1000:1001:App:/home/app:/bin/sh

twin:x:1000:5:Twin:/home/twin:/bin/sh
123:x:9:9::/odd:
short:x:77
"""
GROUP = """root:x:0:
app:x:1001:
wheel:x:10:root,app
audio:x:63:app
123:x:44:
"""


class Directory:
    """As much of a tree as resolving a user needs, over a plain directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def resolve(self, path: bytes, *, follow_last: bool = True) -> Resolution:
        real = rootpath.resolve(os.fsencode(self.root), os.fsdecode(path))
        node = Node(path, real, os.lstat(real)) if os.path.lexists(real) else None
        return Resolution(path, node, ())


def tree(root: Path, passwd: str | None = PASSWD, group: str | None = GROUP) -> Tree:
    (root / "etc").mkdir(exist_ok=True)
    for name, text in (("passwd", passwd), ("group", group)):
        if text is not None:
            (root / "etc" / name).write_text(text)
    return cast("Tree", Directory(root))


@pytest.mark.parametrize(
    ("spec", "identity"),
    [
        ("", Identity(0, 0, (10,), "/root")),
        ("root", Identity(0, 0, (10,), "/root")),
        ("0", Identity(0, 0, (10,), "/root")),
        ("app", Identity(1000, 1001, (10, 63), "/home/app")),
        ("1000", Identity(1000, 1001, (10, 63), "/home/app")),
        ("twin", Identity(1000, 5, (), "/home/app")),
        ("4242", Identity(4242, 0, (), "/")),
        ("app:audio", Identity(1000, 63, (), "/home/app")),
        ("app:7", Identity(1000, 7, (), "/home/app")),
        ("4242:wheel", Identity(4242, 10, (), "/")),
        ("1000:1001", Identity(1000, 1001, (), "/home/app")),
        ("root:root", Identity(0, 0, (), "/root")),
        ("123", Identity(123, 0, (), "/")),
        ("app:123", Identity(1000, 123, (), "/home/app")),
        ("short", Identity(77, 0, (), "/")),
        ("app:", Identity(1000, 1001, (10, 63), "/home/app")),
        (":audio", Identity(0, 63, (), "/root")),
        ("3000000000:4", Identity(3000000000, 4, (), "/")),
    ],
)
def test_forms(tmp_path: Path, spec: str, identity: Identity) -> None:
    assert resolve_user(tree(tmp_path), spec) == identity


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("app:nogroup", "unable to find group nogroup: no matching entries in group file"),
        ("nobody:audio", "unable to find user nobody"),
        ("3000000000", "must be in range 0-2147483647"),
        ("app:3000000000", "must be in range 0-2147483647"),
    ],
)
def test_errors(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        resolve_user(tree(tmp_path), spec)


def test_without_files_numbers_work_and_names_do_not(tmp_path: Path) -> None:
    empty = tree(tmp_path, None, None)
    assert resolve_user(empty, "5") == Identity(5, 0)
    assert resolve_user(empty, "5:6") == Identity(5, 6)
    assert resolve_user(empty, "root:0") == Identity(0, 0)
    with pytest.raises(SandboxError, match="unable to find user root"):
        resolve_user(empty, "root")


def test_a_link_never_leads_outside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    outside = tmp_path / "passwd"
    outside.write_text("evil:x:666:666::/:\n")
    made = tree(root, None, None)
    (root / "etc" / "passwd").symlink_to("../../passwd")
    with pytest.raises(SandboxError):
        resolve_user(made, "evil")
    (root / "passwd").write_text("good:x:5:6::/g:\n")
    assert resolve_user(made, "good") == Identity(5, 6, (), "/g")


def test_a_fifo_or_directory_in_place_of_the_file_is_no_file(tmp_path: Path) -> None:
    made = tree(tmp_path, None, None)
    os.mkfifo(tmp_path / "etc" / "passwd")
    (tmp_path / "etc" / "group").mkdir()
    assert resolve_user(made, "12") == Identity(12, 0)


names = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)


@given(
    users=st.dictionaries(names, st.tuples(st.integers(0, 70000), st.integers(0, 70000)), max_size=6),
    groups=st.dictionaries(names, st.tuples(st.integers(0, 70000), st.lists(names, max_size=3)), max_size=6),
)
def test_every_user_of_a_file_resolves_to_its_line(
    tmp_path_factory: pytest.TempPathFactory,
    users: dict[str, tuple[int, int]],
    groups: dict[str, tuple[int, list[str]]],
) -> None:
    passwd = "".join(f"{name}:x:{uid}:{gid}::/h/{name}:/bin/sh\n" for name, (uid, gid) in users.items())
    group = "".join(f"{name}:x:{gid}:{','.join(members)}\n" for name, (gid, members) in groups.items())
    made = tree(tmp_path_factory.mktemp("root"), passwd, group)
    for name, (uid, gid) in users.items():
        found = resolve_user(made, name)
        assert (found.uid, found.gid) == (uid, gid)
        assert found.groups == tuple(number for number, members in groups.values() if name in members)
