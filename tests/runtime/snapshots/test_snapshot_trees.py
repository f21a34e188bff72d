"""Trees: resolution inside the root, merging, order."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.runtime.snapshots.contents import file_digest
from pybuild.runtime.snapshots.livetree import LiveNode, LiveTree
from pybuild.runtime.snapshots.tree import DirectoryTree, LayeredTree, PathTree

OPENAT2 = 437
TreeOf = Callable[[Path], PathTree]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("file")
    (root / "secret").write_text("inside")
    return root


@pytest.fixture(params=[DirectoryTree, LiveTree])
def tree_of(request: pytest.FixtureRequest) -> TreeOf:
    made: Callable[[bytes], PathTree] = request.param
    return lambda root: made(os.fsencode(root))


def test_links_are_walked_inside_the_root(root: Path, tree_of: TreeOf) -> None:
    (root / "absolute").symlink_to("/a/b")
    (root / "a" / "up").symlink_to("../../../../secret")
    (root / "a" / "out").symlink_to(root.parent / "outside" / "secret")
    (root / "chain").symlink_to("absolute/../up")
    tree = tree_of(root)
    found = tree.resolve(b"absolute/file")
    assert (found.path, [link.path for link in found.links]) == (b"a/b/file", [b"absolute"])
    assert found.node is not None
    assert stat.S_ISREG(found.node.stat.st_mode)
    assert tree.resolve(b"a/up").path == b"secret"
    outside = tree.resolve(b"a/out")
    assert outside.node is None
    assert outside.path == os.fsencode(root.parent / "outside" / "secret").lstrip(b"/")
    chain = tree.resolve(b"chain")
    assert chain.path == b"secret"
    assert [link.path for link in chain.links] == [b"chain", b"absolute", b"a/up"]
    assert tree.resolve(b"../../..").path == b""
    assert tree.resolve(b"").node is not None


def test_the_last_link_may_be_the_entry(root: Path, tree_of: TreeOf) -> None:
    (root / "link").symlink_to("a")
    tree = tree_of(root)
    found = tree.resolve(b"link", follow_last=False)
    assert found.node is not None
    assert stat.S_ISLNK(found.node.stat.st_mode)
    assert found.links == ()
    inside = tree.lstat(b"link/b")
    assert inside is not None
    assert inside.path == b"a/b"


def test_what_becomes_a_link_after_it_was_found(root: Path) -> None:
    """A process that changes the root has no file outside of it read."""
    tree = LiveTree(os.fsencode(root))
    found = [tree.resolve(path).node for path in (b"a/b/file", b"a/b", b"secret")]
    listed = tree.stack(b"a/b")
    (root / "a").rename(root / "old")
    (root / "a").symlink_to(root.parent / "outside")
    (root.parent / "outside" / "b").mkdir()
    (root.parent / "outside" / "b" / "file").write_text("outside")
    (root / "secret").unlink()
    (root / "secret").symlink_to(root.parent / "outside" / "secret")
    for node in found:
        assert isinstance(node, LiveNode)
        with pytest.raises(OSError, match=r"symbolic|directory"):
            node.content()
    assert isinstance(found[0], LiveNode)
    with pytest.raises(OSError, match=r"symbolic|directory"):
        found[0].open()
    with pytest.raises(OSError, match=r"symbolic|directory"):
        tree.entries(b"a/b", listed)
    with pytest.raises(OSError, match=r"symbolic|directory"):
        tree._step([b"a"], found[1], listed, b"b")


def test_what_is_absent_has_a_path(root: Path, tree_of: TreeOf) -> None:
    (root / "link").symlink_to("a/none")
    found = tree_of(root).resolve(b"link/x/../y")
    assert (found.path, found.node) == (b"a/none/y", None)
    assert tree_of(root).lstat(b"none/x") is None
    assert tree_of(root).lstat(b"secret/x") is None


def test_loops_and_files_on_the_way(root: Path, tree_of: TreeOf) -> None:
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links") as loop:
        tree_of(root).resolve(b"one")
    assert loop.value.errno == errno.ELOOP
    with pytest.raises(NotADirectoryError):
        tree_of(root).resolve(b"secret/x")
    for number in range(41):
        (root / f"l{number}").symlink_to(f"l{number + 1}")
    (root / "l40").unlink()
    (root / "l40").write_text("")
    assert len(tree_of(root).resolve(b"l0").links) == 40
    (root / "m").symlink_to("l0")
    with pytest.raises(OSError, match="symbolic links"):
        tree_of(root).resolve(b"m")


def open_in_root(root: bytes, path: bytes, flags: int) -> int:
    """Open `path` by openat2(2) with `root` as its root, also for every symlink and `..` in it. Returns the
    descriptor. Raises OSError, with ENOSYS before Linux 5.6."""
    libc = ctypes.CDLL(None, use_errno=True)
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        # struct open_how: flags, mode, resolve (RESOLVE_IN_ROOT). The call takes its size, 24 bytes.
        how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, 0, 0x10)
        opened: int = libc.syscall(OPENAT2, directory, path, ctypes.byref(how), ctypes.c_size_t(24))
    finally:
        os.close(directory)
    if opened < 0:
        raise OSError(ctypes.get_errno(), "openat2")
    return opened


TARGETS = st.lists(st.sampled_from([b"..", b".", b"a", b"b", b"c", b""]), min_size=1, max_size=4).map(
    b"/".join
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([b"a", b"b", b"c", b"d/a", b"d/b"]), TARGETS, max_size=5), TARGETS)
def test_resolution_agrees_with_the_kernel(links: dict[bytes, bytes], path: bytes) -> None:
    """What `openat2(RESOLVE_IN_ROOT)` opens is what is resolved."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        root = os.fsencode(name)
        os.mkdir(root + b"/d")
        for link, target in links.items():
            if target:
                os.symlink(target, root + b"/" + link)
        try:
            opened = open_in_root(root, path or b".", os.O_PATH)
        except OSError as failure:
            if failure.errno == errno.ENOSYS:
                pytest.skip("the kernel has no openat2")
            expected = None
        else:
            expected = os.fstat(opened).st_ino
            os.close(opened)
        try:
            found = DirectoryTree(root).resolve(path).node
        except OSError:
            found = None
        try:
            live = LiveTree(root).resolve(path).node
        except OSError:
            live = None
        assert (None if live is None else live.stat) == (None if found is None else found.stat)
        if expected is None and found is not None:
            # What is absent has no `..` for the kernel; here the path is gone on with.
            assert b".." in b"".join([path, *links.values()])
        else:
            assert (None if found is None else found.stat.st_ino) == expected


def layer(root: Path, name: str, *paths: str) -> bytes:
    for path in paths:
        target = root / name / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(name)
    return os.fsencode(root / name)


def walked(tree: LayeredTree) -> list[tuple[bytes, bytes]]:
    return [(node.path, node.real.split(b"/")[-node.path.count(b"/") - 2]) for node in tree.walk(b"")]


@pytest.mark.root
def test_layers_merge_as_overlay_does(tmp_path: Path) -> None:
    low = layer(tmp_path, "low", "d/a", "d/b", "e/x", "f", "g/y", "h/z")
    middle = layer(tmp_path, "middle", "d/b", "d/c", "e/w", "f/inside", "h2/")
    top = layer(tmp_path, "top", "d/", "e/v", "g")
    os.mknod(middle + b"/d/a", stat.S_IFCHR, 0)
    os.mknod(top + b"/h", stat.S_IFCHR, 0)
    os.setxattr(middle + b"/e", "trusted.overlay.opaque", b"y")
    tree = LayeredTree([top, middle, low], "trusted.overlay.opaque")
    assert walked(tree) == [
        (b"d", b"top"),
        (b"d/b", b"middle"),
        (b"d/c", b"middle"),
        (b"e", b"top"),
        (b"e/v", b"top"),
        (b"e/w", b"middle"),
        (b"f", b"middle"),
        (b"f/inside", b"middle"),
        (b"g", b"top"),
        (b"h2", b"middle"),
    ]
    for node in tree.walk(b""):
        found = tree.lstat(node.path)
        assert found is not None
        assert found.real == node.real
    assert tree.lstat(b"h") is None
    assert tree.lstat(b"d/a") is None
    assert tree.lstat(b"e/x") is None
    assert [node.path for node in tree.list(b"d")] == [b"d/b", b"d/c"]
    with pytest.raises(NotADirectoryError):
        tree.list(b"g")
    with pytest.raises(FileNotFoundError):
        tree.list(b"h")
    other_marks = LayeredTree([top, middle, low], "user.overlay.opaque")
    assert other_marks.lstat(b"e/x") is not None


@pytest.mark.root
def test_a_device_0_0_is_itself_in_a_plain_tree(tmp_path: Path, tree_of: TreeOf) -> None:
    os.mknod(tmp_path / "device", stat.S_IFCHR, 0)
    assert [node.path for node in tree_of(tmp_path).walk(b"")] == [b"device"]


def test_order_and_names_of_any_bytes(tmp_path: Path, tree_of: TreeOf) -> None:
    names = [b"\xff\xfe", b"a", b"a-b", b"a\nb", b"\xc3\xa9", b"A"]
    for name in names:
        os.mkdir(os.path.join(os.fsencode(tmp_path), name))
        os.mkdir(os.path.join(os.fsencode(tmp_path), name, b"x"))
    paths = [node.path for node in tree_of(tmp_path).walk(b"")]
    assert paths == [path for name in sorted(names) for path in (name, name + b"/x")]


def test_a_digest_is_kept_only_while_nothing_can_have_changed(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path / "file")

    def digest(content: bytes) -> bytes:
        with open(file, "wb") as out:
            out.write(content)
        os.utime(file, ns=(0, 0))
        return file_digest(file, os.lstat(file))

    assert len({digest(b"one"), digest(b"two"), digest(b"ten")}) == 3
    before = os.lstat(file)
    time.sleep(0.12)
    kept = file_digest(file, before)
    os.rename(file, file + b"2")
    assert file_digest(file, before) == kept  # not read again


@pytest.mark.growth
def test_many_files_are_walked_quickly(tmp_path: Path) -> None:
    for directory in range(8):
        (tmp_path / str(directory)).mkdir()
        for number in range(500):
            os.symlink("x", tmp_path / str(directory) / str(number))
    tree = LayeredTree([os.fsencode(tmp_path)], "user.overlay.opaque")
    began = time.process_time()
    assert sum(1 for _ in tree.walk(b"")) == 4_008
    assert time.process_time() - began < 0.2


@pytest.mark.root
@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR])
def test_a_file_that_became_another_kind_of_entry_is_not_read(root: Path, kind: int, tree_of: TreeOf) -> None:
    """As a process of a live container may do between the look at an entry and the reading."""
    node = tree_of(root).resolve(b"a/b/file").node
    assert node is not None
    (root / "a" / "b" / "file").unlink()
    os.mknod(root / "a" / "b" / "file", kind | 0o666, os.makedev(1, 5))
    with pytest.raises(OSError, match="Invalid argument"):
        node.content()
