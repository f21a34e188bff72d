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

MakeDisk = Callable[[int], Path]
NO_SPACE = "o space left on device"


@pytest.fixture
def make_disk() -> Iterator[MakeDisk]:
    """`make_disk(MiB)`: an ext4 file system of that size, mounted until the test ends."""
    with ExitStack() as mounted:
        room = Path(mounted.enter_context(tempfile.TemporaryDirectory(prefix="pybuild-disk-")))

        def make(mebibytes: int) -> Path:
            image, point = room / f"{mebibytes}.img", room / f"{mebibytes}"
            point.mkdir()
            with open(image, "wb") as file:
                os.truncate(file.fileno(), mebibytes << 20)
            subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True, timeout=30)
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
    says(small.build(copy, code=BUILD), NO_SPACE, "room")
    (copy / "big").write_bytes(os.urandom(30 << 20))
    says(small.build(copy, "-t", "big", code=BUILD), NO_SPACE, "PYBUILD_ROOT")

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
    says(builder.build(context, "-o", f"type=local,dest={tree}", code=BUILD), NO_SPACE, str(tree))
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
