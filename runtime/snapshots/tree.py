"""Read file system states without mounting them.

`LayeredTree` merges layer directories as the kernel's overlay does, `DirectoryTree` reads one directory as it is.
A merged directory is represented by its *stack*, the tuple of the layer directories that it consists of, top first.
A name is looked up from the top down. Directories of the same name merge until a whiteout or another kind of entry
ends the merge, or until a directory with an opaque mark hides everything beneath it.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod

from pybuild.runtime.snapshots.types import Node, Resolution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    Place: TypeAlias = Any

LINK_LIMIT = 40
"""The most symlinks to follow in one resolution, as in the kernel (path_resolution(7))."""

Stack = tuple[bytes, ...]
Nodes = list[Node]
Merged = list[tuple[Node, Stack]]


def is_whiteout(status: os.stat_result) -> bool:
    """Report whether an entry of a layer hides the entry beneath: a character device 0/0."""
    return status.st_rdev == 0 and stat.S_ISCHR(status.st_mode)


def is_opaque(directory: bytes, attribute: str) -> bool:
    """Report whether a layer's directory hides the directories beneath it."""
    try:
        return os.getxattr(directory, attribute, follow_symlinks=False) == b"y"
    except OSError as failure:
        if failure.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise


class PathTree(ABC):
    """The common part of trees: paths that are resolved part by part, and walks. A directory is represented by a
    *place*, which only the tree itself looks into; it is false for whatever is no directory."""

    __slots__ = ()

    def resolve(self, path: bytes, *, follow_last: bool = True) -> Resolution:
        # The directories walked, the names that lead through them, and the components still to walk, last first. An
        # absent entry has None in the trail: `..` after it still leads back.
        trail: list[tuple[Node | None, Place]] = [self._root()]
        names: list[bytes] = []
        links: list[Node] = []
        pending = _parts(path)
        while pending:
            name = pending.pop()
            node, stack = trail[-1]
            if node is not None and not stat.S_ISDIR(node.stat.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(path))
            if name == b"..":
                if names:
                    trail.pop()
                    names.pop()
                continue
            entry, below = self._step(names, node, stack, name)
            if entry is not None and stat.S_ISLNK(entry.stat.st_mode) and (pending or follow_last):
                links.append(entry)
                if len(links) > LINK_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(path))
                target = entry.readlink()
                if target.startswith(b"/"):
                    del trail[1:], names[:]  # start over from the root
                pending += _parts(target)
                continue
            trail.append((entry, below))
            names.append(name)
        return Resolution(b"/".join(names), trail[-1][0], tuple(links))

    def lstat(self, path: bytes) -> Node | None:
        try:
            return self.resolve(path, follow_last=False).node
        except NotADirectoryError:
            return None

    def list(self, path: bytes) -> Nodes:
        return [node for node, _ in self.entries(path, self.stack(path))]

    def walk(self, path: bytes) -> Iterator[Node]:
        pending = [iter(self.entries(path, self.stack(path)))]
        while pending:
            for node, below in pending[-1]:
                yield node
                if below:
                    pending.append(iter(self.entries(node.path, below)))
                    break
            else:
                pending.pop()

    def file_digest(self, node: Node) -> bytes:
        return node.digest()

    # What a tree has to give.

    @abstractmethod
    def _root(self) -> tuple[Node | None, Place]:
        """The root directory and its place."""

    @abstractmethod
    def _step(
        self, names: Sequence[bytes], node: Node | None, place: Place, name: bytes
    ) -> tuple[Node | None, Place]:
        """The entry `name` of the directory `node`, which `names` lead to, with its place; None if it is absent."""

    @abstractmethod
    def stack(self, path: bytes) -> Place:
        """The place of the directory at the resolved `path`. Raises FileNotFoundError, NotADirectoryError."""

    @abstractmethod
    def entries(self, path: bytes, stack: Place) -> Sequence[tuple[Node, Place]]:
        """The entries of a directory, ordered by name, each with its place."""


class LayeredTree(PathTree):
    """The state of one or more layer directories, the top one first. See `Tree` for the methods of its contract.

    `opaque` is the attribute of opaque marks. With `frozen` the layers never change, and the stacks of their
    directories are kept, so that the next look-up goes on from there. Thread-safe when frozen."""

    __slots__ = ("_opaque", "_stacks", "layers")

    _whiteouts = True

    def __init__(self, layers: Sequence[bytes], opaque: str, *, frozen: bool = True) -> None:
        self.layers = tuple(layers)
        self._opaque = opaque
        self._stacks: dict[bytes, Stack] | None = {} if frozen else None

    # Merged directories, for code that reads layers side by side.

    def stack(self, path: bytes) -> Stack:
        """The stack of the directory at the resolved `path`. Raises FileNotFoundError, NotADirectoryError."""
        known: dict[bytes, Stack] = {} if self._stacks is None else self._stacks
        unknown = []
        at = path
        while at and at not in known:
            unknown.append(at)
            at = at.rpartition(b"/")[0]
        stack = known[at] if at else self.layers
        for here in reversed(unknown):
            name = here[here.rfind(b"/") + 1 :]
            entry = self.find(stack, name)
            if entry is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(path))
            if not stat.S_ISDIR(entry[1].st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(path))
            stack = known[here] = self.descend(stack, name, entry[2], here)
        return stack

    def find(self, stack: Stack, name: bytes) -> tuple[bytes, os.stat_result, int] | None:
        """Look up entry `name` of a merged directory: its path on the disk, its lstat, and the index of its layer
        in the stack. None if it is absent or hidden."""
        for index, directory in enumerate(stack):
            real = directory + b"/" + name
            try:
                status = os.lstat(real)
            except FileNotFoundError:
                continue
            if self._whiteouts and is_whiteout(status):
                return None
            return real, status, index
        return None

    def descend(self, stack: Stack, name: bytes, index: int, path: bytes) -> Stack:
        """The stack of directory `name` in a merged directory, where `find` found it in layer `index`; `path` is
        its path in the state."""
        if index == len(stack) - 1:
            return (stack[index] + b"/" + name,)
        if self._stacks is not None and (known := self._stacks.get(path)) is not None:
            return known
        directories = [stack[index] + b"/" + name]
        for directory in stack[index + 1 :]:
            real = directory + b"/" + name
            try:
                mode = os.lstat(real).st_mode
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(mode) or is_opaque(directories[-1], self._opaque):
                break
            directories.append(real)
        below = tuple(directories)
        if self._stacks is not None:
            self._stacks[path] = below
        return below

    def entries(self, path: bytes, stack: Stack) -> Merged:
        """The entries of a merged directory, ordered by name. Each comes with its stack, which is empty unless it
        is a directory."""
        prefix = path + b"/" if path else b""
        if len(stack) == 1:
            return self._single(prefix, stack[0])
        merged: dict[bytes, _Merge] = {}
        for directory in stack:
            with os.scandir(directory) as scan:
                for entry in scan:
                    known = merged.get(entry.name)
                    if known is None:
                        merged[entry.name] = _Merge(entry)
                    elif known.open:
                        known.open = entry.is_dir(follow_symlinks=False) and not is_opaque(
                            known.reals[-1], self._opaque
                        )
                        if known.open:
                            known.reals.append(entry.path)
        out = []
        for name in sorted(merged):
            merge = merged[name]
            if not is_whiteout(merge.stat):
                below = tuple(merge.reals) if stat.S_ISDIR(merge.stat.st_mode) else ()
                out.append((Node(prefix + name, merge.reals[0], merge.stat), below))
        return out

    def _single(self, prefix: bytes, directory: bytes) -> Merged:
        """The entries of a directory of one layer, the common case, where nothing needs to be merged."""
        entries: Merged = []
        with os.scandir(directory) as scan:
            for entry in scan:
                status = entry.stat(follow_symlinks=False)
                if status.st_rdev == 0 and self._whiteouts and stat.S_ISCHR(status.st_mode):
                    continue
                real = entry.path
                below = (real,) if stat.S_ISDIR(status.st_mode) else ()
                entries.append((Node(prefix + entry.name, real, status), below))
        entries.sort(key=_by_path)
        return entries

    def _root(self) -> tuple[Node | None, Stack]:
        return Node(b"", self.layers[0], os.lstat(self.layers[0])), self.layers

    def _step(
        self, names: Sequence[bytes], node: Node | None, stack: Stack, name: bytes
    ) -> tuple[Node | None, Stack]:
        entry = self.find(stack, name) if node is not None and b"\0" not in name else None
        if entry is None:
            return None, ()
        path = b"/".join((*names, name))
        below = self.descend(stack, name, entry[2], path) if stat.S_ISDIR(entry[1].st_mode) else ()
        return Node(path, entry[0], entry[1]), below


class DirectoryTree(LayeredTree):
    """The state in one directory. Every entry is taken as it is, a character device 0/0 included."""

    __slots__ = ()

    _whiteouts = False

    def __init__(self, root: bytes) -> None:
        super().__init__((root,), "", frozen=False)


class ActiveTree(LayeredTree):
    """The state of an upper directory that is being written, over the layers `lower` of the frozen tree `below`."""

    __slots__ = ("_below",)

    def __init__(self, upper: bytes, below: LayeredTree, lower: Sequence[bytes], opaque: str) -> None:
        super().__init__((upper, *lower), opaque, frozen=False)
        self._below = below

    def descend(self, stack: Stack, name: bytes, index: int, path: bytes) -> Stack:
        # The lower part of a stack is the stack that the tree below has at that path, or nothing. Taken from
        # there, it is looked up once, while what the upper directory says is read anew each time.
        upper = self.layers[0]
        if not (stack[0] == upper or stack[0].startswith(upper + b"/")):
            return self._below.descend(stack, name, index, path)
        lower = stack[1:]
        if index:
            return self._below.descend(lower, name, index - 1, path)
        real = stack[0] + b"/" + name
        entry = self._below.find(lower, name) if lower else None
        if entry is None or not stat.S_ISDIR(entry[1].st_mode) or is_opaque(real, self._opaque):
            return (real,)
        return (real, *self._below.descend(lower, name, entry[2], path))


class _Merge:
    """An entry of a merged directory while its layers are read from the top down. It is `open` as long as
    directories of that name further down join it."""

    __slots__ = ("open", "reals", "stat")

    def __init__(self, entry: os.DirEntry[bytes]) -> None:
        self.stat = entry.stat(follow_symlinks=False)
        self.reals = [entry.path]
        self.open = stat.S_ISDIR(self.stat.st_mode)


def topmost(layers: Iterable[bytes]) -> list[bytes]:
    """Drop repetitions from `layers`, top first: further down a directory shows nothing that it does not show at
    its first place, and the kernel refuses the same directory twice."""
    return list(dict.fromkeys(layers))


def _parts(path: bytes) -> list[bytes]:
    """The components of a path in reverse order, without empty ones and dots."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]


def _by_path(pair: tuple[Node, Stack]) -> bytes:
    return pair[0].path
