"""Digests of content: the same for the same, another for every kind of difference, times aside."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.snapshots.states import CAPABILITY

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.digests import selected_digest
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.tree import DirectoryTree
from pybuild.runtime.snapshots.types import Active, Node, Snapshotter, Tree
from pybuild.runtime.snapshots.upper import copy_up, copy_up_directory, hide, make_opaque_directory, replace

pytestmark = pytest.mark.root

Change = Callable[[bytes], None]


def write(path: bytes, content: bytes = b"") -> None:
    with open(path, "wb") as file:
        file.write(content)


def retyped(path: bytes) -> None:
    os.unlink(path)
    os.symlink(b"content", path)


def relinked(root: bytes) -> None:
    os.unlink(root + b"/dir/link")
    os.symlink(b"FILE", root + b"/dir/link")


def device(major: int) -> Change:
    def change(root: bytes) -> None:
        os.unlink(root + b"/dir/file")
        os.mknod(root + b"/dir/file", stat.S_IFCHR | 0o644, os.makedev(major, 3))

    return change


DIFFERENCES: dict[str, Change] = {
    "bytes": lambda root: write(root + b"/dir/file", b"CONTENT"),
    "length": lambda root: write(root + b"/dir/file", b"content "),
    "file mode": lambda root: os.chmod(root + b"/dir/file", 0o600),
    "set-id": lambda root: os.chmod(root + b"/dir/file", 0o4644),
    "directory mode": lambda root: os.chmod(root + b"/dir/sub", 0o700),
    "selected mode": lambda root: os.chmod(root + b"/dir", 0o700),
    "uid": lambda root: os.chown(root + b"/dir/file", 5, 0),
    "gid": lambda root: os.chown(root + b"/dir/file", 0, 5),
    "link owner": lambda root: os.chown(root + b"/dir/link", 5, 0, follow_symlinks=False),
    "link target": relinked,
    "type": lambda root: retyped(root + b"/dir/file"),
    "name": lambda root: os.rename(root + b"/dir/file", root + b"/dir/file2"),
    "more": lambda root: write(root + b"/dir/more"),
    "less": lambda root: os.unlink(root + b"/dir/file"),
    "no directory": lambda root: os.rmdir(root + b"/dir/sub"),
    "pipe": lambda root: os.mkfifo(root + b"/dir/sub/pipe"),
    "device": device(1),
    "another device": device(5),
    "attribute": lambda root: os.setxattr(root + b"/dir/file", "user.note", b"x"),
    "another attribute": lambda root: os.setxattr(root + b"/dir/file", "user.note", b"y"),
    "attribute of a directory": lambda root: os.setxattr(root + b"/dir/sub", "user.note", b"x"),
    "capability": lambda root: os.setxattr(root + b"/dir/file", "security.capability", CAPABILITY),
}


def base(root: bytes) -> None:
    os.mkdir(root + b"/dir")
    os.mkdir(root + b"/dir/sub")
    write(root + b"/dir/file", b"content")
    os.symlink(b"file", root + b"/dir/link")


def selected(root: Path, path: bytes = b"dir", **options: object) -> str:
    return selected_digest(DirectoryTree(os.fsencode(root)), path, **options)  # type: ignore[arg-type]


def test_every_difference_changes_the_digest(tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    for name, change in {"none": lambda _: None, **DIFFERENCES}.items():
        place = tmp_path / name.replace(" ", "-")
        place.mkdir()
        base(os.fsencode(place))
        change(os.fsencode(place))
        seen[name] = selected(place)
    assert len(set(seen.values())) == len(DIFFERENCES) + 1, seen


@pytest.mark.parametrize("kind", [OverlaySnapshotter, CopySnapshotter])
def test_every_difference_changes_the_identity(store: Store, kind: type) -> None:
    snapshotter = kind(store)
    active = snapshotter.prepare(None)
    base(active.upper)
    parent = active.commit()
    seen: dict[str, str] = {}
    for name, change in {"none": lambda _: None, **DIFFERENCES}.items():
        identities = set()
        for _ in range(2):
            active = snapshotter.prepare(parent)
            with active.mount() as root:
                change(root)
            identities.add(snapshotter.identity(active.commit()))
        assert len(identities) == 1, name
        seen[name] = identities.pop()
    assert len(set(seen.values())) == len(DIFFERENCES) + 1, seen
    assert snapshotter.identity(parent) not in seen.values()


def test_times_do_not_count(tmp_path: Path, store: Store) -> None:
    base(os.fsencode(tmp_path))
    before = selected(tmp_path)
    for path in ("dir/file", "dir/sub", "dir"):
        os.utime(tmp_path / path, ns=(5, 5))
    assert selected(tmp_path) == before
    snapshotter = OverlaySnapshotter(store)
    identities = set()
    for stamp in (1, 2):
        active = snapshotter.prepare(None)
        base(active.upper)
        for below in (b"/dir/file", b"/dir"):
            os.utime(active.upper + below, ns=(stamp, stamp))
        identities.add(snapshotter.identity(active.commit()))
    assert len(identities) == 1


def test_only_what_is_selected_counts(tmp_path: Path) -> None:
    base(os.fsencode(tmp_path))
    before = selected(tmp_path)
    (tmp_path / "other").write_text("x")
    assert selected(tmp_path) == before
    os.rename(tmp_path / "dir", tmp_path / "renamed")
    assert selected(tmp_path, b"renamed") == before
    assert (
        selected(tmp_path, b"renamed", name=b"dir")
        != selected(tmp_path, b"renamed", name=b"renamed")
        != before
    )
    assert selected(tmp_path, b"dir") == selected(tmp_path, b"nothing") != before


def test_links_on_the_way_count(tmp_path: Path) -> None:
    base(os.fsencode(tmp_path))
    (tmp_path / "to").symlink_to("dir")
    direct, through = selected(tmp_path, b"dir/file"), selected(tmp_path, b"to/file")
    assert direct != through
    os.rename(tmp_path / "dir", tmp_path / "moved")
    (tmp_path / "to").unlink()
    (tmp_path / "to").symlink_to("moved")
    assert selected(tmp_path, b"to/file") != through
    last = selected(tmp_path, b"to", follow=False)
    assert last != selected(tmp_path, b"to")
    (tmp_path / "moved" / "file").write_text("other")
    assert selected(tmp_path, b"to", follow=False) == last


def test_what_is_left_out_does_not_count(tmp_path: Path) -> None:
    base(os.fsencode(tmp_path))

    def below(tree: Tree, path: bytes) -> list[Node]:
        return [node for node in tree.walk(path) if node.path not in (b"dir/file", b"dir/sub")]

    before = selected(tmp_path, below=below)
    (tmp_path / "dir" / "file").write_text("other")
    (tmp_path / "dir" / "sub").chmod(0o700)
    assert selected(tmp_path, below=below) == before
    (tmp_path / "dir" / "sub" / "x").write_text("")
    assert selected(tmp_path, below=below) != before


def test_a_layered_state_has_the_digest_of_the_same_plain_one(store: Store, tmp_path: Path) -> None:
    layered = OverlaySnapshotter(store)
    active = layered.prepare(None)
    base(active.upper)
    active = layered.prepare(active.commit())
    with active.mount() as root:
        write(root + b"/dir/sub/x", b"x")
        os.chmod(root + b"/dir/file", 0o600)
        shown = selected_digest(DirectoryTree(root), b"")
    tree = layered.tree(active.commit())
    assert selected_digest(tree, b"") == shown


def identity_of(snapshotter: Snapshotter, parent: int | None, change: Callable[[Active], object]) -> str:
    active = snapshotter.prepare(parent)
    change(active)
    return snapshotter.identity(active.commit())


def test_marks_links_and_the_parent_are_identity(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    parents = []
    for content in (b"1", b"2"):
        active = snapshotter.prepare(None)
        base(active.upper)
        write(active.upper + b"/dir/sub/x", content)
        parents.append(active.commit())
    parent = parents[0]

    def pair(active: Active, linked: bool) -> None:
        write(active.upper + b"/one", b"x")
        if linked:
            os.link(active.upper + b"/one", active.upper + b"/two")
        else:
            write(active.upper + b"/two", b"x")

    def outside(active: Active) -> None:
        pair(active, linked=False)
        os.link(active.upper + b"/one", snapshotter.committed.room())

    def opaque(active: Active) -> None:
        make_opaque_directory(snapshotter, active, b"dir/sub")

    unlinked = identity_of(snapshotter, parent, lambda active: pair(active, False))
    seen = [
        identity_of(snapshotter, parent, lambda _: None),
        identity_of(snapshotter, parents[1], lambda _: None),
        identity_of(snapshotter, None, lambda _: None),
        identity_of(snapshotter, parent, lambda active: pair(active, True)),
        unlinked,
        identity_of(snapshotter, parent, lambda active: hide(snapshotter, active, b"dir/sub/x")),
        identity_of(snapshotter, parent, lambda active: hide(snapshotter, active, b"dir/sub")),
        identity_of(snapshotter, parent, opaque),
        identity_of(snapshotter, parent, lambda active: os.chmod(active.upper, 0o700)),
    ]
    assert len(set(seen)) == len(seen)
    assert identity_of(snapshotter, parent, outside) == unlinked
    led = identity_of(snapshotter, parent, lambda active: copy_up_directory(snapshotter, active, b"dir/sub"))
    assert led == seen[0]  # directories that only lead somewhere are no change


def test_copy_up_keeps_everything(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    base(active.upper)
    for path in (b"/dir/file", b"/dir/sub", b"/dir"):
        os.setxattr(active.upper + path, "user.note", b"x")
        os.chown(active.upper + path, 3, 4)
        os.chmod(active.upper + path, 0o2751)
    os.setxattr(active.upper + b"/dir/file", "security.capability", CAPABILITY)
    for path in (b"/dir/file", b"/dir/sub", b"/dir"):
        os.utime(active.upper + path, ns=(11, 22))
    parent = active.commit()
    active = snapshotter.prepare(parent)
    copy_up(snapshotter, active, b"dir/file")
    copy_up_directory(snapshotter, active, b"dir/sub")
    for path in (b"dir/file", b"dir/sub", b"dir"):
        old, new = snapshotter.tree(parent).lstat(path), os.lstat(active.upper + b"/" + path)
        assert old is not None
        assert (new.st_mode, new.st_uid, new.st_gid, new.st_mtime_ns) == (
            old.stat.st_mode,
            old.stat.st_uid,
            old.stat.st_gid,
            22,
        )
        assert os.getxattr(active.upper + b"/" + path, "user.note") == b"x"
    assert os.getxattr(active.upper + b"/dir/file", "security.capability") == CAPABILITY
    assert next(iter(snapshotter.changes(active.commit()))).path == b"dir/file"


@pytest.mark.parametrize("kind", [OverlaySnapshotter, CopySnapshotter])
def test_no_link_leads_a_writer_outside(store: Store, tmp_path: Path, kind: type) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("kept")
    snapshotter = kind(store)
    active = snapshotter.prepare(None)
    os.symlink(os.fsencode(tmp_path / "victim"), active.upper + b"/link")
    for here in (active, snapshotter.prepare(active.commit())):
        if here is active:
            continue
        for action in (copy_up, copy_up_directory, replace, make_opaque_directory):
            with pytest.raises(NotADirectoryError):
                action(snapshotter, here, b"link/file/x" if action is copy_up_directory else b"link/file")
        assert hide(snapshotter, here, b"link/file") is False
        make_opaque_directory(snapshotter, here, b"link")
        with pytest.raises(FileNotFoundError):
            copy_up(snapshotter, here, b"none")
        with pytest.raises(ValueError, match="below the root"):
            hide(snapshotter, here, b"")
    assert (tmp_path / "victim" / "file").read_text() == "kept"
    assert sorted(os.listdir(tmp_path / "victim")) == ["file"]
