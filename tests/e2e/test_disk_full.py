"""No space and no permission to write, on small file systems mounted for the purpose."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.e2e.soundness import faults
from tests.e2e.test_bad_input import BUILD, says

pytestmark = [pytest.mark.root, pytest.mark.crun]

MakeDisk = Callable[..., Path]
NO_SPACE = "o space left on device"


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """`make_disk(MiB, *options)`: an ext4 file system of that size, mounted until the test ends. The options are
    mkfs's."""
    with ExitStack() as mounted:
        room = Path(mounted.enter_context(tempfile.TemporaryDirectory(prefix="pybuild-disk-")))

        def make(mebibytes: int, *options: str) -> Path:
            image, point = room / f"{mebibytes}.img", room / f"{mebibytes}"
            point.mkdir()
            with open(image, "wb") as file:
                os.truncate(file.fileno(), mebibytes << 20)
            subprocess.run(
                ["mkfs.ext4", "-q", "-F", *options, image], check=True, capture_output=True, timeout=30
            )
            mount = subprocess.run(
                ["mount", "-o", "loop", image, point], capture_output=True, text=True, timeout=30
            )
            if mount.returncode:
                pytest.skip(f"the kernel mounts no loop device: {mount.stderr}")
            mounted.callback(lambda: subprocess.run(["umount", point], check=True, timeout=30))
            return point

        yield make


def test_full_store(builder: Builder, make_disk: MakeDisk) -> None:
    disk = make_disk(64)
    small = builder.with_store(disk / "store")
    kept = builder.context("kept", "FROM base\nRUN echo kept >/kept\n")
    small.build(kept, "-t", "kept", "-o", f"type=oci,dest={builder.place}/kept.tar")

    step = builder.context("step", "FROM base\nRUN dd if=/dev/zero of=/big bs=1M count=100\n")
    says(
        small.build(step, code=BUILD),
        NO_SPACE,
        "Dockerfile:2:1",
        "no space left where the store",
        "prune --all",
    )
    copy = builder.context("copy", "FROM base\nCOPY big /\n", big=os.urandom(80 << 20))
    says(small.build(copy, code=BUILD), NO_SPACE, "prune --all")
    (copy / "big").write_bytes(os.urandom(30 << 20))
    says(small.build(copy, "-t", "big", code=BUILD), NO_SPACE, "PYBUILD_ROOT")

    # A shell that goes on after a failed write, and tidies up: its exit code says that all is well. It sleeps,
    # because on a busy machine nobody may have looked before the file is gone.
    fill = "dd if=/dev/zero of=/big bs=64k count=2000 2>/dev/null; sleep 0.3; rm -f /big; true"
    hidden = builder.context("hidden", f"FROM base\nRUN {fill}\n")
    says(small.build(hidden, code=BUILD), "exit code: 0: no space left where the store", "no free block")

    assert faults(small.store) == []
    free = os.statvfs(disk)
    assert free.f_bavail * free.f_frsize > 10 << 20, "what failed is still there"
    (builder.place / "kept.tar").unlink()
    again = small.build(kept, "-o", f"type=oci,dest={builder.place}/kept.tar")
    says(again, "CACHED")


def test_full_destination(builder: Builder, make_disk: MakeDisk) -> None:
    disk = make_disk(16)
    context = builder.context("context", "FROM base\nCOPY big /\n", big=os.urandom(20 << 20))
    small = builder.context("small", "FROM base\nCOPY f /\n", f="x")
    layout = disk / "layout"
    builder.build(small, "-t", "small", "-o", f"type=oci,tar=false,dest={layout}")
    index = (layout / "index.json").read_bytes()
    archive = disk / "old.tar"
    archive.write_bytes(b"old")
    for output in (f"type=oci,dest={archive}", f"type=docker,dest={archive}", f"type=tar,dest={archive}"):
        says(builder.build(context, "-o", output, code=BUILD), NO_SPACE, str(archive), "another destination")
        assert archive.read_bytes() == b"old"
        assert sorted(os.listdir(disk)) == ["layout", "lost+found", "old.tar"]
    says(builder.build(context, "-o", f"type=oci,tar=false,dest={layout}", code=BUILD), NO_SPACE, str(layout))
    assert (layout / "index.json").read_bytes() == index
    tree = disk / "tree"
    says(builder.build(context, "-o", f"type=local,dest={tree}/a", code=BUILD), NO_SPACE, f"{tree}/a")
    assert not tree.exists()
    tree.mkdir()
    (tree / "bin").write_text("a file of the user's, where the result has a directory")
    (tree / "etc").mkdir(0o700)
    before = [(path, path.lstat()) for path in sorted(disk.rglob("*"))]
    says(builder.build(context, "-o", f"type=local,dest={tree}", code=BUILD), NO_SPACE, str(tree))
    assert [(path, path.lstat()) for path in sorted(disk.rglob("*"))] == [
        (path, status if path != tree else tree.lstat()) for path, status in before
    ]
    assert faults(builder.store) == []
    builder.build(context, "-o", f"type=oci,dest={builder.place}/elsewhere.tar")


def test_read_only_store(builder: Builder, make_disk: MakeDisk) -> None:
    disk = make_disk(64)
    here = builder.with_store(disk / "store")
    context = builder.context("context", "FROM base\nCOPY f /\n", f="x")
    here.build(context, "-t", "kept")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=30)
    says(here.build(context, "-t", "other", code=BUILD), "ead-only file system", str(disk), "PYBUILD_ROOT")
    absent = builder.with_store(disk / "absent")
    says(absent.build(context, "-t", "other", code=BUILD), "ead-only file system", str(disk), "PYBUILD_ROOT")


def test_full_result_files(builder: Builder) -> None:
    """A result file that can't be written fails the build with its name; the image is in the store."""
    context = builder.context("context", "FROM base\nCOPY f /\n", f="x")
    says(builder.build(context, "-t", "x", "--iidfile=/nowhere/iid", code=2), "--iidfile", "/nowhere")
    says(builder.build(context, "-t", "x", "--metadata-file=/dev/full", code=None), "/dev/full")


def fill(disk: Path) -> None:
    """Leave neither root nor anybody else a byte."""
    with open(disk / "filling", "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def test_no_inode_left(builder: Builder, make_disk: MakeDisk) -> None:
    disk = make_disk(64, "-N", "900")
    small = builder.with_store(disk / "store")
    step = builder.context(
        "step", "FROM base\nRUN for i in $(seq 2000); do echo >/f$i; done 2>/dev/null; rm -f /f*; true\n"
    )
    says(small.build(step, code=BUILD), "no space left where the store", "no free inode", "prune --all")
    copy = builder.context("copy", "FROM base\nCOPY d /\n", **{f"d/{number}": "" for number in range(900)})
    says(small.build(copy, code=BUILD), "o inode is left", str(disk), "prune --all")
    (disk / "names").mkdir()
    while os.statvfs(disk).f_favail:
        (disk / "names" / os.urandom(8).hex()).touch()
    fresh = builder.context("fresh", "FROM base\nRUN echo 1 >/f\n")
    outcome = small.build(fresh, code=BUILD)
    says(outcome, "o inode is left", str(disk), "prune --all")
    assert "dmesg" not in outcome.err
    small.run("prune", "--all", "--force")
    assert os.listdir(small.store) == ["in-use.lock"]


def test_a_file_system_without_limits(builder: Builder, make_disk: MakeDisk) -> None:
    """A total of 0 blocks and 0 inodes is no limit."""
    with tempfile.TemporaryDirectory(prefix="pybuild-disk-") as point:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=0,nr_inodes=0", "none", point], check=True, timeout=30
        )
        try:
            assert (os.statvfs(point).f_blocks, os.statvfs(point).f_files) == (0, 0)
            here = builder.with_store(Path(point) / "store")
            context = builder.context("context", "FROM base\nRUN echo 1 >/f\n")
            here.build(context)
            assert (here.store / "ballast").stat().st_size == 4 << 20
        finally:
            subprocess.run(["umount", point], check=True, timeout=30)


def test_a_full_store_can_be_emptied(builder: Builder, make_disk: MakeDisk) -> None:
    """No byte is free: nothing that frees space needs one."""
    disk = make_disk(64)
    small = builder.with_store(disk / "store")
    context = builder.context("context", "FROM base\nRUN echo 1 >/f\n")
    small.build(context)
    ballast = (small.store / "ballast").stat()
    assert 0 < ballast.st_size <= (64 << 20) // 100
    assert ballast.st_blocks * 512 >= ballast.st_size
    fill(disk)
    other = builder.context("other", "FROM base\nRUN echo 2 >/f\n")
    outcome = small.build(other, code=BUILD)
    says(outcome, NO_SPACE, str(small.store), "prune --all", "which frees")
    assert "dmesg" not in outcome.err
    fresh = builder.with_store(disk / "fresh")
    says(fresh.build(other, code=BUILD), NO_SPACE, str(disk), "prune --all")

    (small.store / "in-use.lock").unlink()
    small.run("prune", "--all", "--force")
    assert os.listdir(small.store) == ["in-use.lock"]
    (disk / "filling").unlink()
    small.build(other)
    assert (small.store / "ballast").exists()


def test_a_limit_of_the_size_of_files(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nCOPY f /\n", f=os.urandom(2 << 20))
    outcome = builder.through("prlimit", "--fsize=1000000").build(context, "-t", "x", code=BUILD)
    says(outcome, "ile too large", "ulimit -f")
    assert "dmesg" not in outcome.err
