"""What a copy with patterns reads: a change of what it leaves out is none, one of what it takes is."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tests.runtime.ops.files.room import Room, files, vertex_of

from pybuild.compiler.ops import Copy, FileAction
from pybuild.runtime.ops.files.filters import keeper
from pybuild.runtime.ops.files.handler import tree_of
from pybuild.runtime.ops.results import Result
from pybuild.runtime.snapshots.types import Node
from pybuild.runtime.solver.types import Cancellation

pytestmark = pytest.mark.root

DOCKER: dict[str, Any] = {
    "dir_copy_contents": True,
    "create_dest_path": True,
    "follow_symlink": True,
    "allow_wildcard": True,
    "allow_empty_wildcard": True,
}
BASE: dict[str, bytes | str | int | None] = {
    "d/a.py": b"1",
    "d/sub/b.py": b"2",
    "d/sub/c.md": b"3",
    "d/docs/e.md": b"4",
    "d/ln": "a.py",
    "other/x": b"5",
}


def read(room: Room, source: Result, copy: Copy) -> str | None:
    vertex = vertex_of([FileAction(-1, 0, 0, copy)], 1)
    return room.handler.content(vertex, 0, source, Cancellation())


PATTERNS: dict[str, dict[str, Any]] = {
    "exclude": {"src": "/d", "exclude_patterns": ("**/*.md",)},
    "include": {"src": "/d", "include_patterns": ("**/*.py", "ln")},
    "parents": {
        "src": "/",
        "include_patterns": ("d/sub/b.py", "d/a.*"),
        "required_paths": ("/d/sub/b.py", "/d/a.py"),
    },
    "parents without": {"src": "/", "include_patterns": ("d",), "exclude_patterns": ("**/*.md", "d/docs"),
                        "required_paths": ("/d",)},
}  # fmt: skip


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("kind", ["state", "view"])
def test_only_what_is_taken_counts(room: Room, name: str, kind: str) -> None:
    copy = Copy(dest="/o", **{**DOCKER, **PATTERNS[name]})

    def digest(**changes: bytes | str | int | None) -> str | None:
        source = getattr(room, kind)(
            files({**BASE, **{path.replace("__", "/"): what for path, what in changes.items()}})
        )
        return read(room, source, copy)

    before = digest()
    assert digest(**{"d/sub/c.md": b"other"}) == before
    assert digest(**{"d/docs/f.md": b"more"}) == before
    assert digest(**{"other/x": b"other"}) == before
    assert digest(**{"d/sub/b.py": b"other"}) != before
    assert digest(**{"d/a.py": 0o755}) != before
    if name in ("include", "parents"):
        # A directory with nothing that is taken is none.
        assert digest(**{"d/empty/": None}) == before
        assert digest(**{"other/y/": 0o700}) == before
        assert digest(**{"d/sub/": 0o700}) != before


def test_the_same_files_are_copied_as_counted(room: Room) -> None:
    make = files({**BASE, "d/empty/": None, "d/sub/deep/f.py": b"6", "top.py": b"7"})
    for patterns in (
        {"include_patterns": ("**/*.py",)},
        {"include_patterns": ("d/sub",), "exclude_patterns": ("**/b*",)},
        {"include_patterns": ("d/*/b.py", "other")},
        {"include_patterns": ("d",), "exclude_patterns": ("d/sub", "!d/sub/c.md")},
        {"exclude_patterns": ("d", "!d/docs")},
        {"include_patterns": ("d/[as]*",)},
    ):
        copy = Copy(src="/", dest="/", **{**DOCKER, **patterns})
        below = keeper(copy)
        assert below is not None
        for source in (room.state(make), room.view(make)):
            counted: list[Node] = list(below(tree_of(room.snapshotter, source), b""))
            assert {os.fsdecode(node.path) for node in counted} == room.paths(room.do(copy, None, source))
            assert [node.path.split(b"/") for node in counted] == sorted(
                node.path.split(b"/") for node in counted
            )


def test_where_nothing_can_match_nothing_is_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    view = room.view(files({"src/app/main.py": b"1", "big/a/b": b"2", "big/c": b"3"}))
    listed: list[bytes] = []
    tree = view.tree
    plain = type(tree).list

    def noting(self: Any, path: bytes) -> Any:
        listed.append(path)
        return plain(self, path)

    monkeypatch.setattr(type(tree), "list", noting)
    copy = Copy("/", "/o", include_patterns=("src/app/main.py",), **DOCKER)
    assert room.paths(room.do(copy, None, view)) == {"o", "o/src", "o/src/app", "o/src/app/main.py"}
    read(room, view, copy)
    assert set(listed) == {b"", b"src", b"src/app"}
