"""States made through a mount, file ops run on them, and what a mount shows of the result."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.runtime.snapshots.indexes import ShownIndex

from pybuild.compiler.graph import Edge, Vertex
from pybuild.compiler.ops import EMPTY, Copy, FileAction, FileOp, MkDir, MkFile, Rm, SourceOp, Symlink
from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.runtime.cache.records import Records
from pybuild.runtime.content.store import Store
from pybuild.runtime.ops.files.handler import FileHandler
from pybuild.runtime.ops.results import Result, Snapshot, View
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Active, Snapshotter
from pybuild.runtime.solver.types import Cancellation
from pybuild.runtime.sources.local import LocalTree
from pybuild.runtime.sources.statcache import StatCache

Body = Copy | MkDir | MkFile | Rm | Symlink
OLD = 978_307_200_000_000_000
"""A time of sources, in nanoseconds."""


class Seen(NamedTuple):
    mode: str
    owner: tuple[int, int]
    content: bytes
    device: int
    attributes: tuple[tuple[str, bytes], ...]
    mtime: int


class Room:
    def __init__(self, store: Store, snapshotter: Snapshotter, directory: Path) -> None:
        self.store = store
        self.snapshotter = snapshotter
        self.directory = directory
        self.records = Records(store, snapshotter)
        self.warned: list[Diagnostic] = []
        self.handler = FileHandler(
            snapshotter, self.records, warn=lambda digest, warning: self.warned.append(warning)
        )

    def state(self, make: Callable[[bytes], object], parent: Snapshot | None = None) -> Snapshot:
        """What `make` does to the mounted root of `parent`; times of what it made are OLD."""
        active = self.over(parent)
        with active.mount() as root:
            make(root)
            age(root)
        made = active.commit()
        return Snapshot(self.snapshotter.indexed(made) if isinstance(self.snapshotter, ShownIndex) else made)

    def over(self, parent: Snapshot | None) -> Active:
        """A snapshot under construction that can be mounted."""
        below = None if parent is None else parent.id
        if not isinstance(self.snapshotter, ShownIndex):
            return self.snapshotter.prepare(below)
        overlay = OverlaySnapshotter(self.store)
        return overlay.prepare(below and self.snapshotter.ordinary(overlay, below))

    def view(self, make: Callable[[bytes], object], ignored: Sequence[str] = ()) -> View:
        """A local directory."""
        path = os.fsencode(self.directory / f"local-{os.urandom(4).hex()}")
        os.mkdir(path)
        make(path)
        age(path)
        cache = StatCache(self.store.path("stat"), path)
        return View(LocalTree(path, cache, ignored=Matcher(ignored) if ignored else None))

    def run(self, actions: Sequence[FileAction], inputs: Sequence[Result] = ()) -> list[Snapshot]:
        vertex = vertex_of(actions, len(inputs))
        out = self.handler.run(vertex, inputs, Cancellation())
        assert all(isinstance(one, Snapshot) for one in out)
        return list(out)  # type: ignore[arg-type]

    def do(self, body: Body, base: Result | None = None, source: Result | None = None) -> Snapshot:
        """One action on `base` (scratch), a copy from `source` (scratch)."""
        inputs = [one for one in (base, source) if one is not None]
        first = EMPTY if base is None else 0
        second = EMPTY if source is None else len(inputs) - 1
        (out,) = self.run([FileAction(first, second, 0, body)], inputs)
        return out

    def chain(
        self, bodies: Sequence[Body], base: Result | None = None, source: Result | None = None
    ) -> Snapshot:
        """Actions one on the other; copies are from `source`."""
        inputs = [one for one in (base, source) if one is not None]
        actions = []
        for number, body in enumerate(bodies):
            first = len(inputs) + number - 1 if number else (EMPTY if base is None else 0)
            second = len(inputs) - 1 if isinstance(body, Copy) and source is not None else EMPTY
            actions.append(FileAction(first, second, 0 if number == len(bodies) - 1 else EMPTY, body))
        (out,) = self.run(actions, inputs)
        return out

    def seen(self, snapshot: Snapshot) -> dict[str, Seen]:
        """All that a mount of it shows."""
        with self.snapshotter.mount(snapshot.id) as root:
            return tree(root)

    def paths(self, snapshot: Snapshot) -> set[str]:
        return set(self.seen(snapshot)) - {"."}

    def links(self, snapshot: Snapshot) -> set[frozenset[str]]:
        """Groups of paths that are one file in a mount."""
        groups: dict[tuple[int, int], set[str]] = {}
        with self.snapshotter.mount(snapshot.id) as root:
            for path in tree(root):
                found = os.lstat(os.path.join(root, os.fsencode(path)))
                if not stat.S_ISDIR(found.st_mode):
                    groups.setdefault((found.st_dev, found.st_ino), set()).add(path)
        return {frozenset(group) for group in groups.values() if len(group) > 1}


def vertex_of(actions: Sequence[FileAction], inputs: int, **more: object) -> Vertex:
    sources = tuple(Edge(Vertex(SourceOp(f"local://{number}"))) for number in range(inputs))
    return Vertex(FileOp(tuple(actions)), sources, **more)  # type: ignore[arg-type]


def tree(root: bytes) -> dict[str, Seen]:
    out = {".": seen(root)}
    for here, directories, files in os.walk(root):
        for name in (*directories, *files):
            real = os.path.join(here, name)
            out[os.fsdecode(os.path.relpath(real, root))] = seen(real)
    return out


def seen(real: bytes) -> Seen:
    found = os.lstat(real)
    content = b""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(real)
    elif stat.S_ISREG(found.st_mode):
        with open(real, "rb") as file:
            content = file.read()
    names = sorted(name for name in os.listxattr(real, follow_symlinks=False) if "overlay" not in name)
    attributes = tuple((name, os.getxattr(real, name, follow_symlinks=False)) for name in names)
    device = found.st_rdev if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode) else 0
    return Seen(
        stat.filemode(found.st_mode),
        (found.st_uid, found.st_gid),
        content,
        device,
        attributes,
        found.st_mtime_ns,
    )


def age(root: bytes) -> None:
    for here, directories, files in os.walk(root, topdown=False):
        for name in (*directories, *files):
            os.utime(os.path.join(here, name), ns=(OLD, OLD), follow_symlinks=False)
    os.utime(root, ns=(OLD, OLD))


def files(spec: Mapping[str, bytes | str | int | None]) -> Callable[[bytes], None]:
    """Makes `path: bytes` files, `path: str` symlinks, `path/: mode` directories and `path: mode` empty files."""

    def make(root: bytes) -> None:
        for path, what in spec.items():
            real = os.path.join(root, os.fsencode(path.rstrip("/")))
            os.makedirs(os.path.dirname(real), exist_ok=True)
            if path.endswith("/"):
                os.makedirs(real, exist_ok=True)
            elif isinstance(what, str):
                os.symlink(os.fsencode(what), real)
            else:
                with open(real, "wb") as file:
                    file.write(what if isinstance(what, bytes) else b"")
                os.chmod(real, 0o644)
            if isinstance(what, int):
                os.chmod(real, what)

    return make
