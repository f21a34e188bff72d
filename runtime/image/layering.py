"""The meaning of an archive as a layer over a parent, for either form in which snapshotters store layers.

Whiteouts and opaque marks hide entries of the parent only, wherever they stand in the archive (OCI image
specification, layer.md); entries of the layer itself stay. Paths are resolved through the layer's own
directories and symlinks only: if an entry's parent is no directory of the layer, one is made with the
attributes of the parent snapshot's directory at that path, as in BuildKit's unpacking into an upper
directory.
"""

from __future__ import annotations

import os
import stat

from pybuild.runtime.snapshots.overlay import OverlayActive
from pybuild.runtime.snapshots.tree import LayeredTree
from pybuild.runtime.snapshots.types import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from pybuild.runtime.image.ways import Layering, Ways
    from pybuild.runtime.snapshots.types import Active, Snapshotter

OPAQUE = b".wh..wh..opq"


def layering(snapshotter: Snapshotter, active: Active) -> Layering:
    """Return the layering for the form in which `snapshotter` stores `active`."""
    if snapshotter.plain:
        return PlainLayering()
    assert isinstance(active, OverlayActive)
    return OverlayLayering(snapshotter, active)


def hidden_by(parent: bytes, name: bytes) -> bytes | None:
    """Return the path that the whiteout `name` (`.wh.…`) in `parent` hides: empty for AUFS's own records,
    which mean nothing here, None for a whiteout without a name."""
    hidden = name[4:]
    if hidden.startswith(b".wh."):
        return b""
    if hidden in (b"", b".", b".."):
        return None
    return parent + b"/" + hidden if parent else hidden


class OverlayLayering:
    """The layering into an upper directory, in which everything belongs to the layer."""

    def __init__(self, snapshotter: Snapshotter, active: OverlayActive) -> None:
        self._active = active
        tree = snapshotter.tree(active.parent)
        assert isinstance(tree, LayeredTree)
        self._below = tree
        self._whiteouts: set[bytes] = set()
        self._replaced: set[bytes] = set()  # what stood here hid what the parent has
        self._opaque: set[bytes] = set()
        self._times: dict[bytes, int] = {}
        self._absent: set[bytes] = set()  # directories that the parent lacks, or that hide its own

    def begin(self, ways: Ways) -> None:
        self._ways = ways

    def mark(self, parent: bytes, name: bytes) -> bool:
        if name == OPAQUE:
            self._hide_below(parent)
            return True
        path = hidden_by(parent, name)
        if not path:
            return path is not None
        state = self._ways.lstat(path)
        # The layer itself brings nothing there: only the parent's file is hidden.
        if state is None:
            self._active.whiteout(path)
            self._whiteouts.add(path)
        elif stat.S_ISDIR(state.st_mode):
            self._hide_below(path)
        return True

    def below(self, path: bytes, found: os.stat_result) -> bool:
        return path in self._whiteouts

    def made(self, path: bytes) -> None:
        if path in self._whiteouts or path in self._replaced:
            self._whiteouts.discard(path)
            found = self._ways.lstat(path)
            if found is not None and stat.S_ISDIR(found.st_mode):
                self._hide_below(path)

    def implied(self, path: bytes) -> None:
        if path in self._whiteouts or path in self._replaced:
            self._whiteouts.discard(path)
            self._hide_below(path)
            return
        node = self._visible(path)
        if node is not None:
            copy_attributes(node, self._ways.beneath_proc(path))
            self._times[path] = node.stat.st_mtime_ns

    def entered(self, path: bytes, found: os.stat_result) -> None:
        pass

    def removed(self, path: bytes) -> None:
        if path not in self._whiteouts:
            self._replaced.add(path)
        inside = path + b"/"
        for known in [p for p in self._times if p == path or p.startswith(inside)]:
            del self._times[known]
        self._opaque = {p for p in self._opaque if p != path and not p.startswith(inside)}
        self._absent.clear()

    def end(self, explicit: Container[bytes]) -> None:
        # At the end, when it is known which names the layer has itself.
        if b"" in self._opaque:
            self._hide_root()
        for path, mtime in reversed(self._times.items()):
            if path not in explicit:
                self._ways.set_time(path, mtime)

    def _hide_below(self, path: bytes) -> None:
        if path not in self._opaque:
            self._opaque.add(path)
            if path:
                self._active.set_opaque(path)

    def _hide_root(self) -> None:
        """Hide each of the parent's entries in the root: the root of an overlay can't be opaque."""
        for node in self._below.list(b""):
            state = self._ways.lstat(node.path)
            if state is None:
                self._active.whiteout(node.path)
            elif stat.S_ISDIR(state.st_mode) and stat.S_ISDIR(node.stat.st_mode):
                self._hide_below(node.path)

    def _visible(self, path: bytes) -> Node | None:
        """Return the parent's directory at exactly `path`, if no whiteout of this layer hides it."""
        above, _, name = path.rpartition(b"/")
        entry = None
        if above not in self._absent and not self._hidden(above):
            try:
                entry = self._below.find(self._below.stack(above), name)
            except (FileNotFoundError, NotADirectoryError):
                pass  # the parent has no directory on the way, or a symlink
        if entry is None or not stat.S_ISDIR(entry[1].st_mode):
            self._absent.add(path)
            return None
        return Node(path, entry[0], entry[1])

    def _hidden(self, directory: bytes) -> bool:
        """Return whether this layer hides what the parent has in a directory."""
        if not self._opaque:
            return False
        while directory not in self._opaque:
            if not directory:
                return False
            directory = directory.rpartition(b"/")[0]
        return True


class PlainLayering:
    """The layering into a directory that holds the parent's whole tree; the paths that this layer made are
    recorded."""

    def __init__(self) -> None:
        self._made: set[bytes] = set()
        self._times: dict[bytes, int] = {}

    def begin(self, ways: Ways) -> None:
        self._ways = ways

    def mark(self, parent: bytes, name: bytes) -> bool:
        if name == OPAQUE:
            self._prune(parent)
            return True
        path = hidden_by(parent, name)
        if not path:
            return path is not None
        if path in self._made:
            self._prune(path)
        else:
            self._remember(parent)
            self._ways.remove(path)
        return True

    def below(self, path: bytes, found: os.stat_result) -> bool:
        return path not in self._made

    def made(self, path: bytes) -> None:
        self._made.add(path)

    def implied(self, path: bytes) -> None:
        self._made.add(path)

    def entered(self, path: bytes, found: os.stat_result) -> None:
        if path not in self._made:
            self._made.add(path)
            self._times.setdefault(path, found.st_mtime_ns)

    def removed(self, path: bytes) -> None:
        inside = path + b"/"
        self._made = {p for p in self._made if p != path and not p.startswith(inside)}
        for known in [p for p in self._times if p == path or p.startswith(inside)]:
            del self._times[known]

    def end(self, explicit: Container[bytes]) -> None:
        for path, mtime in reversed(self._times.items()):
            if path not in explicit:
                self._ways.set_time(path, mtime)

    def _remember(self, path: bytes) -> None:
        state = self._ways.lstat(path)
        if path and state is not None:
            self._times.setdefault(path, state.st_mtime_ns)

    def _prune(self, path: bytes) -> None:
        """Remove everything in the directory at `path` that the layer did not make."""
        state = self._ways.lstat(path)
        if state is None or not stat.S_ISDIR(state.st_mode):
            return
        for name in self._ways.names(path):
            inner = path + b"/" + name if path else name
            if inner in self._made:
                self._prune(inner)
            else:
                self._ways.remove(inner)


def copy_attributes(node: Node, target: bytes) -> None:
    """Copy the owner, mode and extended attributes of `node`, overlay's own excepted, to the directory
    `target`."""
    os.chown(target, node.stat.st_uid, node.stat.st_gid)
    os.chmod(target, stat.S_IMODE(node.stat.st_mode))
    for name, value in node.attributes():
        os.setxattr(target, name, value)
