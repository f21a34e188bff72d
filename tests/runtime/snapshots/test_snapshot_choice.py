"""Which snapshotter a store gets, and what is remembered of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.snapshots.states import in_tree, on_disk

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots import choose as choosing
from pybuild.runtime.snapshots import mounts, trial
from pybuild.runtime.snapshots.choose import choose
from pybuild.runtime.snapshots.committed import SnapshotError
from pybuild.runtime.snapshots.types import Snapshotter


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYBUILD_SNAPSHOTTER", raising=False)


@pytest.fixture
def store_on_overlay(tmp_path: Path) -> Iterator[Store]:
    """A store in a container's file system: an upper directory can't lie there."""
    paths = [os.fsencode(tmp_path / name) for name in ("lower", "upper", "work", "merged")]
    for path in paths:
        os.mkdir(path)
    lower, upper, work, merged = paths
    mounts.overlay(mounts.Overlay(os.fsencode(tmp_path), [lower], upper, work), merged)
    try:
        with Store.open(os.fsdecode(merged) + "/store") as store:
            yield store
    finally:
        mounts.unmount(merged)


def works(snapshotter: Snapshotter) -> None:
    active = snapshotter.prepare(None)
    with active.mount() as root:
        os.mkdir(root + b"/d")
        with open(root + b"/d/x", "wb") as file:
            file.write(b"x")
    active = snapshotter.prepare(active.commit())
    with active.mount() as root:
        os.unlink(root + b"/d/x")
    snapshot = active.commit()
    with snapshotter.mount(snapshot) as root:
        assert on_disk(root) == in_tree(snapshotter.tree(snapshot))
        assert os.listdir(root + b"/d") == []


@pytest.mark.root
def test_overlay_is_tried_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose(store)
    assert chosen.name == "overlay"
    works(chosen)
    chosen.close()
    assert os.listdir(store.work) == []
    monkeypatch.setattr(trial, "failure", lambda _: pytest.fail("tried again"))
    assert choose(store).name == "overlay"
    monkeypatch.undo()
    store.boot = "another boot"
    monkeypatch.setattr(trial, "failure", lambda _: "not any more")
    assert choose(store).name == "copy"
    monkeypatch.undo()
    assert choose(store).name == "copy"
    choosing.forget(store)
    choosing.forget(store)
    assert choose(store).name == "overlay"


@pytest.mark.root
def test_on_overlay_something_else_is_found(store_on_overlay: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose(store_on_overlay)
    assert chosen.name in ("fuse-overlayfs", "copy")
    works(chosen)
    choosing.forget(store_on_overlay)
    monkeypatch.setenv("PATH", "/nowhere")
    plain = choose(store_on_overlay)
    assert plain.name == "copy"
    works(plain)
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "overlay")
    with pytest.raises(SnapshotError, match="overlay can't be used") as refused:
        choose(store_on_overlay)
    assert [word for word, _ in refused.value.diagnostic.notes] == ["with", "help"]
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "fuse-overlayfs")
    with pytest.raises(SnapshotError, match="fuse-overlayfs can't be used") as refused:
        choose(store_on_overlay)
    assert "fuse-overlayfs" in refused.value.diagnostic.notes[0][1]
    monkeypatch.delenv("PYBUILD_SNAPSHOTTER")
    assert choose(store_on_overlay).name == "copy"  # an override is not remembered
    assert os.listdir(store_on_overlay.work) == []


@pytest.mark.root
def test_the_override(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "copy")
    assert choose(store).name == "copy"
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "overlay")
    assert choose(store).name == "overlay"
    monkeypatch.setenv("PYBUILD_SNAPSHOTTER", "btrfs")
    with pytest.raises(UsageError, match="'btrfs'"):
        choose(store)
    monkeypatch.delenv("PYBUILD_SNAPSHOTTER")
    assert choose(store).name == "overlay"


def test_without_the_right_to_mount_the_last_kind_is_taken(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "may_mount", lambda: False)
    assert choose(store).name == "overlay-user"
    with open(store.path(choosing.REMEMBERED), "w", encoding="utf-8") as file:
        file.write("copy\nsome other circumstances\n")
    assert choose(store).name == "copy"
    with open(store.path(choosing.REMEMBERED), "w", encoding="utf-8") as file:
        file.write("damaged")
    assert choose(store).name == "overlay-user"


@pytest.mark.root
def test_a_failing_mount_is_explained_and_forgotten(store: Store) -> None:
    snapshotter = choose(store)
    active = snapshotter.prepare(None)
    snapshot = active.commit()
    active = snapshotter.prepare(snapshot)
    os.rename(store.path("snapshots", str(snapshot)), store.path("work", "away"))
    with pytest.raises(SnapshotError, match="cannot mount 1 layers with the snapshotter overlay") as refused:
        active.mount()
    assert refused.value.diagnostic.notes[0][0] == "with"
    assert not os.path.exists(store.path(choosing.REMEMBERED))


def test_looking_snapshots_up_imports_little() -> None:
    import subprocess
    import sys

    program = """
import sys, tempfile
from pybuild.runtime.content.store import Store
before = set(sys.modules)
from pybuild.runtime.snapshots.choose import choose
with tempfile.TemporaryDirectory() as directory, Store.open(directory) as store:
    import pybuild.runtime.snapshots.choose as choosing
    choosing.may_mount = lambda: False
    snapshotter = choose(store)
    snapshotter.by_identity("sha256:0"), snapshotter.trusted(1), snapshotter.chain(None), snapshotter.identity(None)
print(*sorted(set(sys.modules) - before))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"ctypes", "subprocess", "typing", "logging", "attrs", "pybuild.runtime.snapshots.mounts"}
    assert not heavy & set(ran.stdout.split()), ran.stdout
