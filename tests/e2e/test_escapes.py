"""What a build's steps and files could reach outside of their roots, and don't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.e2e.building import Builder

from pybuild.compiler.ops import CacheSharing
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.content.store import Store
from pybuild.runtime.ops import caches
from pybuild.runtime.ops.caches import CacheKey, Caches, Held
from pybuild.runtime.snapshots.copying import CopySnapshotter
from pybuild.runtime.snapshots.livetree import LiveTree

BUILD = 1


@pytest.mark.root
@pytest.mark.crun
def test_mount_points_are_not_removed_through_a_symlink(builder: Builder) -> None:
    """The mount points that a step lacked are removed after it, from its own root only: the step may have put a
    symlink in the place of a directory above them."""
    mine = builder.place / "mine"
    (mine / "directory").mkdir(parents=True)
    (mine / "file").touch()
    before = os.stat(mine).st_mtime_ns
    (builder.place / "value").write_text("x")
    mounts = "--mount=type=tmpfs,target=/a/directory --mount=type=secret,id=s,target=/a/file"
    context = builder.context("context", f"FROM base\nRUN {mounts} mv /a /b && ln -s {mine} /a\n")
    builder.build(f"--secret=id=s,src={builder.place / 'value'}", context)
    assert sorted(os.listdir(mine)) == ["directory", "file"]
    assert os.stat(mine).st_mtime_ns == before


@pytest.mark.root
@pytest.mark.crun
def test_parts_of_a_cache(builder: Builder) -> None:
    """A directory and a file of a cache are mounted, a link inside it is followed, one that leads out is not."""
    outside = builder.place / "outside"
    outside.mkdir()
    cache = "RUN --mount=type=cache,id=parts,target=/m"
    fill = f"mkdir -p /m/a/b && echo deep > /m/a/b/file && ln -s a/b /m/link && ln -s {outside} /m/out"
    context = builder.context(
        "context",
        f"FROM base\n{cache} {fill}\n{cache},source=a/b cat /m/file && touch /m/written\n"
        f"{cache},source=link test -e /m/written\n{cache},source=a/b/file cat /m\n",
    )
    assert builder.build(context).err.count(" deep\n") == 2
    out = builder.context("out", f"FROM base\n{cache},source=out touch /m/written\n")
    assert "/out: no such file or directory to mount as a cache" in builder.build(out, code=BUILD).err
    assert list(outside.iterdir()) == []


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """A shared cache that started from nothing and has a directory `part` with a file, beside a `host` directory."""
    store = Store.open(str(tmp_path / "store"))
    try:
        snapshotter = CopySnapshotter(store)
        users = Caches(store, snapshotter, print)
        found = users.take(CacheKey("id", None, "", ""), CacheSharing.SHARED, "a test", lambda: False)
    finally:
        store.close()
    (Path(found.path) / "part").mkdir()
    (Path(found.path) / "part" / "file").touch()
    (tmp_path / "host").mkdir()
    return found


def swap(held: Held, host: Path) -> None:
    """What another step that shares the cache may do at any moment."""
    part = Path(held.path) / "part"
    part.rename(part.with_name("old"))
    part.symlink_to(host)


def test_a_part_stays_what_it_was(held: Held, tmp_path: Path) -> None:
    """Whoever shares the cache may put a symlink to anywhere where the part was: it is held by a descriptor."""
    part = held.part(CacheKey("id", None, "part", ""))
    assert part is not None
    swap(held, tmp_path / "host")
    assert os.listdir(f"/proc/self/fd/{part}") == ["file"]
    os.close(part)


@pytest.mark.parametrize("selector", ["part", "part/file"])
def test_a_part_that_becomes_a_symlink(
    held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selector: str
) -> None:
    """Also between the look at it and its opening."""

    class Racing(LiveTree):
        def resolve(self, path: bytes, *, follow_last: bool = True):  # type: ignore[no-untyped-def]
            found = super().resolve(path, follow_last=follow_last)
            swap(held, tmp_path / "host")
            return found

    (tmp_path / "host" / "file").write_text("secret of the host")
    monkeypatch.setattr(caches, "LiveTree", Racing)
    with pytest.raises(UserError, match="no such file or directory to mount as a cache"):
        held.part(CacheKey("id", None, selector, ""))
