"""Long chains, mounting by either interface of the kernel, and what a mount's options are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import pytest
from tests.runtime.snapshots.states import State, in_tree, on_disk

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots import flatten, mounts
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.upper import hide, make_opaque_directory, replace

pytestmark = pytest.mark.root


def grow(snapshotter: OverlaySnapshotter, parent: int | None, first: int, layers: int) -> int:
    """Layers that each add a file, replace one, hide one, and now and then clear a directory."""
    for number in range(first, first + layers):
        active = snapshotter.prepare(parent)
        if number == 0:
            make_opaque_directory(snapshotter, active, b"d")
            make_opaque_directory(snapshotter, active, b"e")
        if number % 100 == 99:
            make_opaque_directory(snapshotter, active, b"e")
        for path in (b"f%d" % number, b"same", b"d/%d" % number, b"e/%d" % number):
            with open(replace(snapshotter, active, path), "wb") as file:
                file.write(b"%d" % number)
        if number >= 10:
            assert hide(snapshotter, active, b"f%d" % (number - 10))
        parent = active.commit()
    assert parent is not None
    return parent


def expected(layers: int) -> dict[bytes, bytes]:
    last = layers - 1
    cleared = max((number for number in range(layers) if number % 100 == 99), default=0)
    files = {b"same": b"%d" % last}
    files |= {b"f%d" % number: b"%d" % number for number in range(max(0, layers - 10), layers)}
    files |= {b"d/%d" % number: b"%d" % number for number in range(layers)}
    files |= {b"e/%d" % number: b"%d" % number for number in range(cleared, layers)}
    return files


def files_of(state: State) -> dict[bytes, bytes]:
    return {path: entry.content for path, entry in state.items() if stat.S_ISREG(entry.mode)}


@pytest.fixture(scope="module")
def long_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OverlaySnapshotter, list[int]]]:
    with Store.open(str(tmp_path_factory.mktemp("long") / "store")) as store:
        snapshotter = OverlaySnapshotter(store)
        yield snapshotter, snapshotter.chain(grow(snapshotter, None, 0, 700))


@pytest.mark.parametrize("one_by_one", [True, False], ids=["fsconfig", "mount"])
@pytest.mark.parametrize("layers", [499, 500, 700])
def test_long_chains_are_mounted_and_read(
    long_chain: tuple[OverlaySnapshotter, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    one_by_one: bool,
    layers: int,
) -> None:
    if one_by_one and not mounts.takes_layers_one_by_one():
        pytest.skip("the kernel has no lowerdir+")
    monkeypatch.setattr(mounts, "_layers_one_by_one", one_by_one)
    snapshotter, chain = long_chain
    snapshot = chain[layers - 1]
    state = in_tree(snapshotter.tree(snapshot))
    assert files_of(state) == expected(layers)
    with snapshotter.mount(snapshot) as root:
        assert on_disk(root) == state
        inodes = [os.lstat(os.path.join(root, path)).st_ino for path in files_of(state)]
        assert len(set(inodes)) == len(inodes)  # no two names for one file
    active = snapshotter.prepare(snapshot)
    last = b"d/%d" % (layers - 1)
    with active.mount() as root:
        os.unlink(root + b"/d/0")
        os.unlink(root + b"/" + last)
        with open(root + b"/d/1", "ab") as file:
            file.write(b"+")
    top = active.commit()
    changes = [(change.kind, change.path) for change in snapshotter.changes(top)]
    assert changes == [("add", b"d"), ("delete", b"d/0"), ("add", b"d/1"), ("delete", last)]
    assert files_of(in_tree(snapshotter.tree(snapshot)))[b"d/1"] == b"1"
    assert snapshotter.by_identity(snapshotter.identity(top)) is not None
    assert snapshotter.trusted(top)


def test_a_flattened_state_is_kept_and_goes_with_its_snapshot(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    snapshot = grow(snapshotter, None, 0, 140)
    chain = snapshotter.chain(snapshot)
    first = flatten.mountable(snapshotter.committed, chain, 130, snapshotter.opaque)
    made = os.stat(first[-1])
    assert flatten.mountable(snapshotter.committed, chain, 130, snapshotter.opaque) == first
    assert os.stat(first[-1]).st_ino == made.st_ino
    assert first[-1].startswith(snapshotter.committed.directory(chain[127]))
    assert len(first) == 140 - 128 + 1
    os.rename(first[-1], os.path.dirname(first[-1]) + b"/flat-another-boot")
    assert flatten.mountable(snapshotter.committed, chain, 130, snapshotter.opaque) == first
    assert sorted(os.listdir(snapshotter.committed.directory(chain[127]))) == [
        b"flat-" + store.boot.encode(),
        b"fs",
    ]
    snapshotter.remove(chain)
    assert os.listdir(store.path("snapshots")) in (["empty"], [])


def test_files_linked_by_the_build_stay_linked_in_a_flattened_state(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    with open(active.upper + b"/one", "wb") as file:
        file.write(b"x")
    os.link(active.upper + b"/one", active.upper + b"/two")
    snapshot = grow(snapshotter, active.commit(), 0, 140)
    layers = flatten.mountable(snapshotter.committed, snapshotter.chain(snapshot), 130, snapshotter.opaque)
    flat = layers[-1]
    assert os.path.samefile(flat + b"/one", flat + b"/two")
    assert os.path.samefile(
        flat + b"/one", snapshotter.tree(snapshotter.chain(snapshot)[0]).layers[0] + b"/one"
    )


def test_copies_where_a_link_cannot_be_had_keep_links_among_themselves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pybuild.runtime.snapshots import copies

    real_link = os.link

    def link(source: bytes, target: bytes, *, follow_symlinks: bool = True) -> None:
        if b"/snapshots/" in source:
            raise OSError(31, "Too many links")  # EMLINK
        real_link(source, target, follow_symlinks=follow_symlinks)

    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    with open(active.upper + b"/one", "wb") as file:
        file.write(b"x")
    os.link(active.upper + b"/one", active.upper + b"/two")
    os.utime(active.upper + b"/one", ns=(1, 2))
    snapshot = active.commit()
    monkeypatch.setattr(os, "link", link)
    target = snapshotter.committed.room()
    os.mkdir(target)
    copies.copy_tree(snapshotter.tree(snapshot), target, link=True)
    assert os.path.samefile(target + b"/one", target + b"/two")
    assert not os.path.samefile(target + b"/one", snapshotter.tree(snapshot).layers[0] + b"/one")
    assert os.stat(target + b"/one").st_mtime_ns == 2


@pytest.mark.parametrize("name", ["plain", "co:lon,com\\ma é", "l" * 240], ids=["plain", "marks", "long"])
@pytest.mark.parametrize("one_by_one", [True, False], ids=["fsconfig", "mount"])
def test_a_store_may_lie_at_any_path(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, name: str, one_by_one: bool
) -> None:
    if one_by_one and not mounts.takes_layers_one_by_one():
        pytest.skip("the kernel has no lowerdir+")
    monkeypatch.setattr(mounts, "_layers_one_by_one", one_by_one)
    with Store.open(os.path.join(tmp_path, name)) as store:
        snapshotter = OverlaySnapshotter(store)
        snapshot = grow(snapshotter, None, 0, 12)
        active = snapshotter.prepare(snapshot)
        with active.mount() as root:
            assert on_disk(root) == in_tree(snapshotter.tree(snapshot))
            os.unlink(root + b"/same")
        assert b"same" not in in_tree(snapshotter.tree(active.commit()))


def test_mount_options(store: Store) -> None:
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(grow(snapshotter, None, 0, 1))
    with active.mount() as root:
        (line,) = [line for line in mount_lines() if f" {os.fsdecode(root)} " in line]
    assert "volatile" in line
    for wanted in ("index=on", "metacopy=on", "redirect_dir=on"):
        assert wanted not in line
    active.abort()
    active.abort()
    snapshotter.close()
    assert os.listdir(store.work) == []


def test_too_many_layers_is_an_error_not_a_wrong_mount(store: Store) -> None:
    plan = mounts.Overlay(b"/", [b"/x"] * 501)
    with pytest.raises(OSError, match="501 lower directories"):
        mounts.overlay(plan, b"/nowhere")
    with pytest.raises(OSError, match="the kernel takes a page"):
        mounts.option_string(mounts.Overlay(b"/", [b"/0123456789"] * 500))


def test_a_busy_mount_is_detached_and_reported(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "BUSY_SECONDS", 0.05)
    snapshotter = OverlaySnapshotter(store)
    active = snapshotter.prepare(None)
    with pytest.raises(OSError, match="busy"), active.mount() as root:
        held = os.open(root, os.O_RDONLY)
    os.close(held)
    active.abort()
    snapshotter.close()
    assert os.listdir(store.work) == []


def test_a_mounted_snapshot_is_not_committed(store: Store) -> None:
    active = OverlaySnapshotter(store).prepare(None)
    with active.mount(), pytest.raises(OSError, match="mounted"):
        active.commit()
    active.commit()


def mount_lines() -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return file.readlines()
