"""The bridge of a local build: answers a frontend from the registry, the store and solved states."""

from __future__ import annotations

import os
import stat

from pybuild.compiler.bridge import FileStat, ResolvedImage
from pybuild.runtime.progress.observer import Tracked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.compiler.graph import Edge
    from pybuild.compiler.ops import Platform
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.runtime.ops.results import Result
    from pybuild.runtime.progress.observer import Observer
    from pybuild.runtime.snapshots.types import Node, Tree
    from pybuild.runtime.sources.resolve import Resolved


class LocalBridge:
    """See `compiler.bridge.Bridge`. `image` and `layout` resolve names, `solve` brings about a state, `tree`
    reads it."""

    def __init__(
        self,
        image: Callable[[str, Platform], Resolved],
        layout: Callable[[str, Platform], Resolved],
        solve: Callable[[Edge], Result],
        tree: Callable[[Result], Tree],
        observer: Observer,
    ) -> None:
        self._image = image
        self._layout = layout
        self._solve = solve
        self._tree = tree
        self._observer = observer

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        with Tracked(self._observer, log_name or f"[internal] load metadata for {ref}"):
            found = self._image(ref, platform)
        return ResolvedImage(found.ref, found.digest, found.config)

    def resolve_layout(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        with Tracked(self._observer, log_name or f"[internal] load metadata for {ref}"):
            found = self._layout(ref, platform)
        return ResolvedImage(found.ref, found.digest, found.config)

    def read_file(self, edge: Edge, path: str) -> bytes:
        node = self._node(edge, path)
        if not stat.S_ISREG(node.stat.st_mode):
            raise FileNotFoundError(path)
        with open(node.real, "rb") as file:
            return file.read()

    def stat(self, edge: Edge, path: str) -> FileStat:
        return _described(self._node(edge, path))

    def read_dir(self, edge: Edge, path: str) -> list[FileStat]:
        result = self._solve(edge)
        tree = self._tree(result)
        where = tree.resolve(os.fsencode(path))
        if where.node is None:
            raise FileNotFoundError(path)
        return [_described(node) for node in tree.list(where.path)]

    def warn(self, warning: Diagnostic) -> None:
        self._observer.warning("", warning)

    def _node(self, edge: Edge, path: str) -> Node:
        result = self._solve(edge)
        node = self._tree(result).resolve(os.fsencode(path)).node
        if node is None:
            raise FileNotFoundError(path)
        return node


def _described(node: Node) -> FileStat:
    link = os.fsdecode(os.readlink(node.real)) if stat.S_ISLNK(node.stat.st_mode) else ""
    name = os.fsdecode(node.path.rpartition(b"/")[2])
    return FileStat(name, node.stat.st_mode, node.stat.st_size, link)
