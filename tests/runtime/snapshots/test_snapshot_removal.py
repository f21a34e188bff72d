"""Removal of whatever programs leave behind."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybuild.runtime.snapshots import mounts
from pybuild.runtime.snapshots.removal import remove_tree


def test_everything_goes_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "link").symlink_to(kept)
    os.link(kept / "file", root / "a" / "b" / "hard")
    os.mkfifo(root / "pipe")
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / "a" / "b").chmod(0)
    (root / "a").chmod(0o111)
    remove_tree(str(root))
    assert not root.exists()
    assert (kept / "file").read_text() == "x"
    (tmp_path / "link").symlink_to(kept)
    remove_tree(str(tmp_path / "link"))
    remove_tree(str(tmp_path / "link"))
    remove_tree(str(kept / "file"))
    assert os.listdir(tmp_path) == ["kept"]


def test_depth_and_width(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path / "root")
    os.mkdir(root)
    fd = os.open(root, os.O_RDONLY)
    for level in range(1200):  # far beyond a path's length, a stack's depth and the descriptors allowed
        for name in (b"directory", b"wide%d" % (level % 3)):
            os.mkdir(name, dir_fd=fd)
        os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open(b"directory", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    remove_tree(root)
    assert not os.path.lexists(root)


@pytest.mark.user
@pytest.mark.root
def test_an_owner_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in list(tmp_path.parents)[:-2]:
        parent.chmod(parent.stat().st_mode | 0o111)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            root = tmp_path / "root"
            (root / "a" / "b").mkdir(parents=True)
            (root / "a" / "b" / "file").write_text("x")
            for path in (root / "a" / "b", root / "a", root):
                path.chmod(0)
            remove_tree(str(root))
            status = int(root.exists())
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.root
def test_immutable_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file").write_text("x")
    for path in (root / "sub" / "file", root / "sub"):
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, 0x40086602, (0x10).to_bytes(8, "little"))
        except OSError:
            pytest.skip("no immutable flag on this file system")
        finally:
            os.close(fd)
    remove_tree(str(root))
    assert not root.exists()


@pytest.mark.root
def test_mounts_are_not_crossed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    root = tmp_path / "root space"
    (root / "a" / "mounted here").mkdir(parents=True)
    (root / "a" / "other").mkdir()
    (root / "b").write_text("")
    point = os.fsencode(root / "a" / "mounted here")
    mounts.bind(os.fsencode(kept), point)
    try:
        with pytest.raises(OSError, match="busy"):
            remove_tree(str(root))
        assert (kept / "file").read_text() == "x"
        assert os.listdir(root) == ["a"]
        assert os.listdir(root / "a") == ["mounted here"]
        with pytest.raises(OSError, match="busy"):
            remove_tree(point)
        assert (kept / "file").read_text() == "x"
    finally:
        mounts.unmount(point)
    remove_tree(str(root))
    assert not root.exists()


@pytest.mark.root
def test_read_only_binds_cover_a_file_and_a_directory(tmp_path: Path) -> None:
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    (tmp_path / "source" / "file").write_text("x")
    target = os.fsencode(tmp_path / "target")
    mounts.bind(os.fsencode(tmp_path / "source"), target, readonly=True)
    with pytest.raises(OSError, match="Read-only"):
        (tmp_path / "target" / "file").write_text("y")
    mounts.unmount(target)
    assert os.listdir(target) == []
    with pytest.raises(OSError, match="Invalid argument"):
        mounts.unmount(target)


PRIVATE = """
import sys
from pybuild.runtime.snapshots.mounts import bind, unshare_mounts
unshare_mounts()
path = sys.argv[1].encode()
bind(path, path)
print(any(path.decode() in line for line in open("/proc/self/mounts")), flush=True)
sys.stdin.read()
"""


@pytest.mark.root
def test_private_mounts_are_seen_by_nobody_else(tmp_path: Path) -> None:
    shared, inside = os.fsencode(tmp_path), tmp_path / "inside"
    inside.mkdir()
    mounts.bind(shared, shared)
    mounts.mount(None, shared, None, 1 << 20)  # MS_SHARED: what is mounted in it would show everywhere
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", PRIVATE, str(inside)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == "True\n"
            with open("/proc/self/mounts", encoding="utf-8") as file:
                assert str(inside) not in file.read()
    finally:
        mounts.unmount(shared)
