"""The engine and the bridge on a store: states read by a frontend, names resolved, engines side by side."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.runtime.registry.images import Image, index_of, tar, write_layout

from pybuild.compiler import platforms
from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import Platform
from pybuild.compiler.state import State
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.bridge.bridge import LocalBridge
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.progress.observer import Observer, StatusEvent, VertexEvent
from pybuild.runtime.solver.types import Cancellation

AMD = Platform("amd64", "linux")


class Heard(Observer):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.vertices: list[VertexEvent] = []
        self.statuses: list[StatusEvent] = []

    def vertex(self, event: VertexEvent) -> None:
        self.vertices.append(event)

    def status(self, event: StatusEvent) -> None:
        self.statuses.append(event)

    def begun(self) -> list[str]:
        return [one.name for one in self.vertices if one.completed is None]


@contextmanager
def opened(root: Path, heard: Observer, **options: object) -> Iterator[Engine]:
    client = LocalClient(**options)  # type: ignore[arg-type]
    engine = Engine(EngineOptions(str(root), client=client), heard, Cancellation(), enter=False)
    try:
        yield engine
    finally:
        engine.close()


def bridge_of(engine: Engine, heard: Observer) -> LocalBridge:
    return LocalBridge(
        lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation),
        lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
        lambda edge: engine.solve([edge])[0],
        engine.tree,
        heard,
        engine.fetchers.source_time,
    )


def edge_of(state: State) -> Edge:
    assert state.edge is not None
    return state.edge


@pytest.fixture
def files(tmp_path: Path) -> Path:
    root = tmp_path / "files"
    (root / "sub").mkdir(parents=True)
    (root / "one").write_text("1")
    (root / "sub" / "two").write_text("22")
    (root / "link").symlink_to("sub/two")
    (root / "circle").symlink_to("circle")
    (root / "out").symlink_to("/etc/passwd")
    return root


@pytest.mark.parametrize("kind", ["view", "snapshot"])
def test_reading_states(tmp_path: Path, files: Path, kind: str) -> None:
    heard = Heard()
    with opened(tmp_path / "store", heard, directories={"files": os.fsencode(files)}) as engine:
        edge = edge_of(State.local("files"))
        if kind == "snapshot":
            layout = tmp_path / "layout"
            image = Image(_archive(files))
            write_layout(layout, image.blobs, image.entry)
            engine.client.provide(images={"files": f"oci-layout://{layout}"})
            edge = edge_of(State.oci_layout(f"files@{image.manifest.digest}"))
        bridge = bridge_of(engine, heard)
        assert bridge.read_file(edge, "/sub/../link") == b"22"
        assert (bridge.stat(edge, "sub").is_dir, bridge.stat(edge, "one").size) == (True, 1)
        names = [one.path for one in bridge.read_dir(edge, "/")]
        assert names == ["circle", "link", "one", "out", "sub"]
        (link,) = [one for one in bridge.read_dir(edge, ".") if one.path == "link"]
        assert stat.S_ISLNK(link.mode)
        assert link.linkname == "sub/two"
        for path in ("missing", "one/below", "out", "sub/missing/more"):
            with pytest.raises(FileNotFoundError):
                bridge.read_file(edge, path)
            with pytest.raises(FileNotFoundError):
                bridge.stat(edge, path)
            with pytest.raises(FileNotFoundError):
                bridge.read_dir(edge, path)
        with pytest.raises(FileNotFoundError):
            bridge.read_file(edge, "sub")
        with pytest.raises(FileNotFoundError):
            bridge.read_dir(edge, "one")
        with pytest.raises(UserError, match="circle"):
            bridge.read_file(edge, "circle")


def _archive(files: Path) -> bytes:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(files, ".")
    return out.getvalue()


def test_names_are_resolved_once(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    one, two = Image(tar(file=b"one")), Image(tar(file=b"two"), architecture="arm64")
    target, data = index_of(one.entry, two.entry)
    write_layout(layout, {**one.blobs, **two.blobs, target.digest: data}, target)
    heard = Heard()
    with opened(tmp_path / "store", heard, named={"base": f"oci-layout://{layout}"}) as engine:
        bridge = bridge_of(engine, heard)
        title = "[context base] load metadata"
        first = bridge.resolve_layout("base", AMD, log_name=title)
        assert bridge.resolve_layout("base", AMD, log_name=title) is first
        assert (first.digest, first.config) == (target.digest, one.config_bytes)
        with pytest.raises(UserError):
            bridge.resolve_layout("base", Platform("s390x", "linux"), log_name=title)
        assert first.ref == f"base@{target.digest}"
    assert heard.begun() == [title, title]


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    image = Image(tar(file=b"one"))
    write_layout(layout, image.blobs, image.entry)
    (tmp_path / "text.tar").write_text("no archive")
    named = {
        "base": f"oci-layout://{layout}",
        "gone": f"oci-layout://{tmp_path}/nowhere",
        "text": f"docker-archive:{tmp_path}/text.tar",
    }
    heard = Heard()
    with opened(tmp_path / "store", heard, named=named) as engine:
        bridge = bridge_of(engine, heard)
        with pytest.raises(UserError, match="was not given"):
            bridge.resolve_layout("unknown", AMD)
        for name in ("gone", "text"):
            with pytest.raises(UserError):
                bridge.resolve_layout(name, AMD)
        assert bridge.resolve_layout("base", AMD).config == image.config_bytes
    failed = [one for one in heard.vertices if one.error]
    assert len(failed) == 3


def test_a_directory_that_was_not_given(tmp_path: Path) -> None:
    heard = Heard()
    with opened(tmp_path / "store", heard) as engine, pytest.raises(UserError, match="was not given"):
        engine.solve([edge_of(State.local("files"))])


def test_progress_of_unpacking_is_told_by_time(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    image = Image(tar(file=os.urandom(24 << 20)), compress=False)
    write_layout(layout, image.blobs, image.entry)
    heard = Heard()
    with opened(tmp_path / "store", heard, named={"base": f"oci-layout://{layout}"}) as engine:
        engine.solve([edge_of(State.oci_layout(f"base@{image.manifest.digest}"))])
    told = [one for one in heard.statuses if one.id.startswith("extracting")]
    assert told[-1].completed is not None
    assert told[-1].current == told[-1].total == image.layers[0].size
    seconds = told[-1].timestamp - told[0].timestamp
    assert len(told) <= 3 + seconds


def test_a_graph_names_its_image_by_digest(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    one, two = Image(tar(one=b"")), Image(tar(two=b""))
    write_layout(layout, one.blobs | two.blobs, one.entry)
    heard = Heard()
    with opened(tmp_path / "store", heard, named={"base": f"oci-layout://{layout}"}) as engine:
        edges = [edge_of(State.oci_layout(f"base@{image.manifest.digest}")) for image in (two, one)]
        names = [[node.path for node in engine.tree(found).list(b"")] for found in engine.solve(edges)]
        assert names == [[b"two"], [b"one"]]
        with pytest.raises(UserError, match="lacks the blob"):
            engine.solve([edge_of(State.oci_layout(f"base@sha256:{'0' * 64}"))])


def test_engines_side_by_side(tmp_path: Path, files: Path) -> None:
    """Several engines share a store; each finds what the others made."""
    layout = tmp_path / "layout"
    images = [Image(tar(base=b"base" * 9999), tar(own=b"%d" % number)) for number in range(3)]
    blobs = {digest: data for image in images for digest, data in image.blobs.items()}
    write_layout(layout, blobs, *[image.entry for image in images])
    results: list[list[int | None]] = []
    with opened(tmp_path / "store", Observer()):
        pass

    def solve() -> None:
        named = {"base": f"oci-layout://{layout}"}
        with opened(tmp_path / "store", Observer(), named=named) as engine:
            edges = [edge_of(State.oci_layout(f"base@{one.manifest.digest}")) for one in images]
            results.append([engine.snapshot(one) for one in engine.solve(edges)])

    threads = [threading.Thread(target=solve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(one == results[0] for one in results)
    assert len(set(results[0])) == 3


def test_an_engine_outside_of_namespaces_leaves_the_work_of_dead_processes(tmp_path: Path) -> None:
    """Only the build's namespaces allow to remove their mounts, foreign files and control groups."""
    root = tmp_path / "store"
    with opened(root, Observer()) as engine:
        dead = Path(engine.store.work).parent / "1-dead"
    dead.mkdir()
    dead.with_name("1-dead.lock").touch()
    with opened(root, Observer()):
        pass
    assert dead.is_dir()


def test_the_default_platform_has_images(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    machine = platforms.default()
    image = Image(tar(file=b"x"), architecture=machine.architecture)
    write_layout(layout, image.blobs, image.entry)
    heard = Heard()
    with opened(tmp_path / "store", heard, named={"base": f"oci-layout://{layout}"}) as engine:
        (result,) = engine.solve([edge_of(State.oci_layout(f"base@{image.manifest.digest}"))])
        assert [node.path for node in engine.tree(result).list(b"")] == [b"file"]
