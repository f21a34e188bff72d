"""The bridge of a local build: answers a frontend from the registry, the store and solved states."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager

from pybuild.compiler.bridge import FileStat, ResolvedImage
from pybuild.runtime.bridge import reading
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform, SourceOp
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.engine import Engine
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.snapshots.types import Node, Tree
    from pybuild.runtime.sources.resolve import Resolved


class LocalBridge:
    """The implementation of `compiler.bridge.Bridge`. `image` and `layout` resolve names, `solve` solves a
    state, `tree` reads it, `time` returns a source's time. Each name is resolved once, so that all callers
    get the same image and one vertex shows it."""

    def __init__(
        self,
        image: Callable[[str, Platform], Resolved],
        layout: Callable[[str, Platform], Resolved],
        solve: Callable[[Edge], Result],
        tree: Callable[[Result], Tree],
        observer: Observer,
        time: Callable[[SourceOp], int | None],
    ) -> None:
        self._image = image
        self._layout = layout
        self._solve = solve
        self._tree = tree
        self._observer = observer
        self._time = time
        self._resolved: dict[tuple[str, str, Platform], ResolvedImage] = {}
        self._times: dict[str, int | None] = {}

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self._resolve("image", self._image, ref, platform, log_name)

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return self._resolve("layout", self._layout, ref, platform, log_name)

    def _resolve(
        self,
        kind: str,
        find: Callable[[str, Platform], Resolved],
        ref: str,
        platform: Platform,
        log_name: str,
    ) -> ResolvedImage:
        known = self._resolved.get((kind, ref, platform))
        if known is None:
            with Tracked(self._observer, log_name or f"[internal] load metadata for {ref}"):
                image = find(ref, platform)
            known = ResolvedImage(image.ref, image.digest, image.config)
            self._resolved[kind, ref, platform] = known
        return known

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        with _absent(path):
            return reading.read_file(self._tree(self._solve(edge)), path, limit=limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return _described(reading.node_at(self._tree(self._solve(edge)), path))

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        with _absent(path):
            return [_described(one) for one in reading.entries(self._tree(self._solve(edge)), path)]

    def source_time(self, edge: Edge, *, log_name: str = "") -> int | None:
        from pybuild.compiler.ops import SourceOp

        op = edge.vertex.op
        assert isinstance(op, SourceOp)
        digest = edge.vertex.digest
        if digest not in self._times:
            with Tracked(self._observer, log_name or f"[internal] load metadata for {op.identifier}"):
                self._times[digest] = self._time(op)
        return self._times[digest]

    def warn(self, warning: Diagnostic) -> None:
        self._observer.warning("", warning)


@contextmanager
def _absent(path: str) -> Iterator[None]:
    """Raise FileNotFoundError for everything that is not a regular file or directory as expected: frontends
    don't tell the cases apart."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise FileNotFoundError(path) from None
        raise


def _described(node: Node) -> FileStat:
    name = os.fsdecode(node.path.rpartition(b"/")[2])
    return FileStat(name, node.stat.st_mode, node.stat.st_size, reading.link_target(node))


def local_bridge(engine: Engine, observer: Observer, *, pull: bool | None = None) -> LocalBridge:
    """Return the bridge for a build on this machine. `pull` says whether known tags are resolved again; None
    leaves it to the engine's options."""
    return LocalBridge(
        lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation, pull=pull),
        lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
        lambda edge: engine.solve([edge])[0],
        engine.tree,
        observer,
        engine.fetchers.source_time,
    )
