"""The bridge of a local build: answers a frontend from the registry, the store and solved states."""

from __future__ import annotations

import os
import stat

from pybuild.compiler.bridge import FileStat, ResolvedImage
from pybuild.runtime.progress.observer import Tracked
from pybuild.runtime.sources.expansion import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform, SourceOp
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.snapshots.types import Node, Tree
    from pybuild.runtime.sources.resolve import Resolved


class LocalBridge:
    """See `compiler.bridge.Bridge`. `image` and `layout` resolve names, `solve` brings about a state, `tree`
    reads it, `time` asks a source for its time. A name is resolved once: all who ask get the same image, and one
    vertex shows it."""

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
                found = find(ref, platform)
            known = ResolvedImage(found.ref, found.digest, found.config)
            self._resolved[kind, ref, platform] = known
        return known

    def read_file(self, edge: Edge, path: str, *, limit: int | None = None) -> bytes:
        node = _node(self._tree(self._solve(edge)), path)
        if not stat.S_ISREG(node.stat.st_mode):
            raise FileNotFoundError(path)
        with open(node.real, "rb") as file:
            return file.read(-1 if limit is None else limit)

    def stat(self, edge: Edge, path: str) -> FileStat:
        return _described(_node(self._tree(self._solve(edge)), path))

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        tree = self._tree(self._solve(edge))
        node = _node(tree, path)
        if not stat.S_ISDIR(node.stat.st_mode):
            raise FileNotFoundError(path)
        return [_described(one) for one in tree.list(node.path)]

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


def _node(tree: Tree, path: str) -> Node:
    """What is at `path`, links followed. Raises FileNotFoundError, and UserError for links in a circle."""
    node = look_up(tree, os.fsencode(path)).node
    if node is None:
        raise FileNotFoundError(path)
    return node


def _described(node: Node) -> FileStat:
    link = os.fsdecode(os.readlink(node.real)) if stat.S_ISLNK(node.stat.st_mode) else ""
    name = os.fsdecode(node.path.rpartition(b"/")[2])
    return FileStat(name, node.stat.st_mode, node.stat.st_size, link)
