"""What is in a local tree, and what its digest counts."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.sources.local.conftest import Open

from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.reading import ContextError


def fill(root: Path, spec: dict[str, str | None]) -> None:
    """Files with text; directories for None; symlinks for `-> target`."""
    for name, text in spec.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            path.mkdir(exist_ok=True)
        elif text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text)


def paths(tree: LocalTree) -> list[str]:
    return [os.fsdecode(node.path) for node in tree.walk(b"")]


@pytest.mark.parametrize(
    ("ignored", "want"),
    [
        ([], ["a", "d", "d/e", "d/e/f", "d/g", "l", "n", "n/m"]),
        (["d"], ["a", "l", "n", "n/m"]),
        (["d", "!d/e/f"], ["a", "d", "d/e", "d/e/f", "l", "n", "n/m"]),
        (["*", "!d/g"], ["d", "d/g"]),
        (["**", "!**/f"], ["d", "d/e", "d/e/f"]),
        (["n", "!n/x"], ["a", "d", "d/e", "d/e/f", "d/g", "l"]),
        (["d", "!d", "d/e"], ["a", "d", "d/g", "l", "n", "n/m"]),
    ],
)
def test_ignore_rules(root: Path, opened: Open, ignored: list[str], want: list[str]) -> None:
    fill(root, {"a": "1", "d/e/f": "2", "d/g": "3", "n/m": "4", "l": "-> d/g"})
    tree = opened(ignored=ignored)
    assert paths(tree) == want
    for path in ("a", "d/e/f", "d/g", "n/m", "l"):
        encoded = path.encode()
        assert (opened(ignored=ignored).lstat(encoded) is not None) == (path in want)
        assert (tree.lstat(encoded) is not None) == (path in want)
        assert tree.left_out(encoded) == (path not in want) or not ignored or path in want
    # A link to something that is left out leads nowhere.
    assert (tree.resolve(b"l").node is not None) == ("l" in want and "d/g" in want)


NAMES = st.sampled_from(["a", "b", "c.x"])
PATTERNS = st.lists(
    st.sampled_from(["a", "*", "**/b", "a/*", "!a/b", "!**/c.x", "b/**", "!b", "a/b/c.x", "!a/b/a", "*/b"]),
    max_size=4,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATTERNS, st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=6))
def test_files_are_kept_as_the_matcher_says(
    tmp_path: Path, opened: Open, patterns: list[str], files: set[str]
) -> None:
    root = tmp_path / os.urandom(6).hex()
    root.mkdir()
    for path in files:
        if any(other.startswith(path + "/") for other in files):
            continue
        fill(root, {path: "x"})
    matcher = Matcher(patterns)
    there = {
        os.path.relpath(os.path.join(here, name), root) for here, _, names in os.walk(root) for name in names
    }
    tree = opened(root, ignored=patterns)
    kept = {path for path in paths(tree) if (root / path).is_file()}
    assert kept == {path for path in there if not matcher.matches(path)}
    # A directory is there if it is not ignored itself or has something.
    for path in paths(tree):
        if (root / path).is_dir():
            assert not matcher.matches(path) or any(one.startswith(path + "/") for one in paths(tree))


def test_resolution_stays_inside(root: Path, opened: Open) -> None:
    fill(
        root, {"d/f": "1", "up": "-> ../../../d", "abs": "-> /d/f", "loop": "-> loop", "deep": "-> d/../up/f"}
    )
    tree = opened()
    for path, want in (
        (b"up/f", b"d/f"),
        (b"abs", b"d/f"),
        (b"deep", b"d/f"),
        (b"../../d/f", b"d/f"),
        (b"x/../y", b"y"),
    ):
        assert tree.resolve(path).path == want
    assert [link.path for link in tree.resolve(b"deep").links] == [b"deep", b"up"]
    assert tree.resolve(b"abs", follow_last=False).path == b"abs"
    with pytest.raises(OSError, match="Too many levels"):
        tree.resolve(b"loop")
    with pytest.raises(NotADirectoryError):
        tree.resolve(b"d/f/..")


def test_special_files(root: Path, opened: Open) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "sock"))
        before = opened().digest()
        assert paths(opened()) == ["pipe"]
        assert opened().lstat(b"sock") is None
    (root / "sock").unlink()
    assert opened().digest() == before


def test_a_digest_is_of_content_and_modes_alone(tmp_path: Path, opened: Open) -> None:
    spec = {"a": "1", "d/e/f": "2", "d/g": "3", "l": "-> d/g", "empty": None}
    one, other = tmp_path / "one", tmp_path / "other"
    for root in (one, other):
        root.mkdir()
        fill(root, spec)
    os.utime(other / "a", (1, 1))
    os.chmod(other, 0o700)
    if os.geteuid() == 0:
        os.chown(other / "d", 5, 6)
    same = opened(one).digest()
    assert opened(other).digest() == same
    assert opened(other, ignored=["nothing"]).digest() == same

    def put(path: str, text: str) -> Callable[[Path], object]:
        return lambda root: (root / path).write_text(text)

    def instead(path: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
        def change(root: Path) -> None:
            there = root / path
            if there.is_symlink():
                there.unlink()
            else:
                there.rmdir()
            make(there)

        return change

    changes: list[Callable[[Path], object]] = [
        put("a", "2"), put("d/e/f", ""), put("new", ""), put("empty/x", ""),
        lambda root: os.chmod(root / "a", 0o755),
        lambda root: os.chmod(root / "d/e", 0o700),
        lambda root: (root / "d/g").rename(root / "d/h"),
        lambda root: (root / "l").unlink(),
        lambda root: (root / "empty").rmdir(),
        instead("l", lambda path: path.symlink_to("d/e")),
        instead("l", lambda path: path.write_text("3")),
        instead("empty", lambda path: path.write_text("")),
        lambda root: os.setxattr(root / "a", "user.note", b"1"),
    ]  # fmt: skip
    digests = {same}
    for number, change in enumerate(changes):
        root = tmp_path / f"changed-{number}"
        root.mkdir()
        fill(root, spec)
        change(root)
        digests.add(opened(root).digest())
    assert len(digests) == len(changes) + 1


def test_only_what_is_selected_counts(root: Path, opened: Open) -> None:
    fill(root, {"a": "1", "b.txt": "2", "c.txt": "3", "d/x.txt": "4", "d/y": "5", "ln": "-> d", "e": "-> a"})

    def digest(*selected: bytes) -> str:
        return opened(selected=selected).digest()

    selections = [
        (b"a",),
        (b"*.txt",),
        (b"d/*.txt",),
        (b"ln/y",),
        (b"e",),
        (b"gone",),
        (b"a/x",),
        (b"go*/x",),
    ]
    before: dict[tuple[bytes, ...], str] = {one: digest(*one) for one in selections}
    assert len(set(before.values())) == len(selections)

    def changed() -> set[tuple[bytes, ...]]:
        now: dict[tuple[bytes, ...], str] = {one: digest(*one) for one in selections}
        out: set[tuple[bytes, ...]] = {one for one in selections if now[one] != before[one]}
        before.update(now)
        return out

    (root / "d" / "y").write_text("55")
    assert changed() == {(b"ln/y",)}
    (root / "d" / "x.txt").write_text("44")
    assert changed() == {(b"d/*.txt",)}
    (root / "d" / "new.txt").write_text("")
    assert changed() == {(b"d/*.txt",)}
    (root / "a").write_text("11")
    assert changed() == {(b"a",), (b"e",)}
    (root / "b.txt").unlink()
    assert changed() == {(b"*.txt",)}
    (root / "other").write_text("")
    assert changed() == set()
    (root / "ln").unlink()
    (root / "ln").symlink_to("./d")
    assert changed() == {(b"ln/y",)}
    (root / "gone").write_text("")
    assert changed() == {(b"gone",)}
    (root / "got").mkdir()
    (root / "got" / "x").write_text("")
    assert changed() == {(b"go*/x",)}


def test_a_selected_wildcard_reads_no_more_than_it_names(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(root, {"package.json": "1", "package-lock.json": "2", "big/deep/file": "3", "other": "4"})
    scanned: list[bytes] = []
    scandir = os.scandir

    def noting(path: bytes) -> object:
        scanned.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noting)
    opened(selected=[b"package*.json"]).digest()
    assert len(scanned) == 1


def test_names_that_are_no_text(root: Path, opened: Open) -> None:
    name = os.fsencode(root) + b"/\xff\xfe"
    with open(name, "wb") as file:
        file.write(b"1")
    tree = opened(ignored=["nothing"])
    assert [node.path for node in tree.list(b"")] == [b"\xff\xfe"]
    before = tree.digest()
    tree.save()
    with open(name, "wb") as file:
        file.write(b"2")
    assert opened(ignored=["nothing"]).digest() != before


def test_a_missing_directory(tmp_path: Path, opened: Open) -> None:
    with pytest.raises(ContextError, match="is not there"):
        opened(tmp_path / "nope").digest()


UNREADABLE = """
import os, sys
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.reading import ContextError
from pybuild.runtime.sources.statcache import StatCache
from pybuild.lang.dockerfile.ignore import Matcher
import encodings.ascii, difflib
os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[2]))
root = os.fsencode(sys.argv[1])
for ignored in ([], ["secret", "closed"]):
    tree = LocalTree(root, StatCache("/nonexistent", root), ignored=Matcher(ignored) if ignored else None)
    try:
        print("ok", tree.digest()[:7])
    except ContextError as error:
        print(error)
    tree.save()
"""


@pytest.mark.root
@pytest.mark.parametrize("name", ["secret", "closed"])
def test_what_an_ordinary_user_may_not_read(tmp_path: Path, root: Path, name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    fill(root, {"a": "1", "secret": "s"} if name == "secret" else {"a": "1", "closed/x": "2"})
    os.chmod(root / name, 0)
    for path in (root, *root.parents):
        if path.stat().st_mode & 0o055 != 0o055 and str(path).startswith("/tmp/"):
            os.chmod(path, 0o755)
    user = pwd.getpwnam("nobody")
    command = [sys.executable, "-c", UNREADABLE, str(root), str(user.pw_uid), str(user.pw_gid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines() == [
        f"cannot read {name} of the context: Permission denied",
        "ok sha256:",
    ], done.stderr
