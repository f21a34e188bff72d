"""States as plain values, and ways to change them: by the file system's calls, or by writing an upper directory."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple, Protocol

from pybuild.runtime.snapshots.contents import attributes
from pybuild.runtime.snapshots.types import Active, Change, Node, Snapshotter, Tree
from pybuild.runtime.snapshots.upper import copy_up, hide, make_directory, make_opaque_directory, replace

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""`security.capability`, version 2: cap_net_bind_service, effective and permitted."""


class Entry(NamedTuple):
    mode: int
    owner: tuple[int, int]
    device: int
    content: bytes
    attributes: tuple[tuple[str, bytes], ...]


State = dict[bytes, Entry]


def entry(real: bytes, found: os.stat_result) -> Entry:
    content = b""
    if stat.S_ISLNK(found.st_mode):
        content = os.readlink(real)
    elif stat.S_ISREG(found.st_mode):
        with open(real, "rb") as file:
            content = file.read()
    device = found.st_rdev if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode) else 0
    return Entry(found.st_mode, (found.st_uid, found.st_gid), device, content, tuple(attributes(real)))


def on_disk(root: bytes) -> State:
    """What the file system shows below `root`."""
    state = {}
    for here, directories, files in os.walk(root):
        for name in (*directories, *files):
            real = os.path.join(here, name)
            state[os.path.relpath(real, root)] = entry(real, os.lstat(real))
    return state


def in_tree(tree: Tree) -> State:
    return {node.path: of_node(node) for node in tree.walk(b"")}


def of_node(node: Node) -> Entry:
    """An entry as readers of states get it."""
    found = node.stat
    content = b""
    if stat.S_ISLNK(found.st_mode):
        content = node.readlink()
    elif stat.S_ISREG(found.st_mode):
        with node.content() as file:
            content = file.read()
        assert node.digest() == sha256(content).digest()
    device = found.st_rdev if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode) else 0
    return Entry(found.st_mode, (found.st_uid, found.st_gid), device, content, tuple(node.attributes()))


def linked(nodes: Iterator[Node]) -> set[frozenset[bytes]]:
    """Groups of paths that are one file."""
    groups: dict[tuple[int, int], set[bytes]] = {}
    for node in nodes:
        if not stat.S_ISDIR(node.stat.st_mode):
            groups.setdefault((node.stat.st_dev, node.stat.st_ino), set()).add(node.path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def changed(state: State, changes: Iterator[Change]) -> State:
    """The state after a diff, as whoever unpacks a layer makes it; checks the order of the diff too."""
    state = dict(state)
    last: list[bytes] = []
    for change in changes:
        assert last < change.path.split(b"/")
        last = change.path.split(b"/")
        known = state.get(change.path)
        keeps = change.node is not None and stat.S_ISDIR(change.node.stat.st_mode)
        if not (keeps and known is not None and stat.S_ISDIR(known.mode)):
            gone = change.path + b"/"
            state = {path: found for path, found in state.items() if not path.startswith(gone)}
        if change.kind == "delete":
            del state[change.path]
        else:
            assert change.node is not None
            state[change.path] = of_node(change.node)
    return state


class Writer(Protocol):
    def there(self, path: bytes) -> int | None:
        """Type of the entry at a literal path, 0 for a directory's absence on the way."""

    def fresh(self, path: bytes) -> bytes:
        """A place for something that is no directory, whatever was there gone."""

    def touched(self, path: bytes) -> bytes:
        """The place of an existing entry, to be changed."""

    def directory(self, path: bytes) -> None: ...
    def emptied(self, path: bytes) -> None: ...
    def remove(self, path: bytes) -> None: ...


class DirectWriter:
    """Changes a directory by what the file system offers: a mount, or a whole tree."""

    def __init__(self, root: bytes) -> None:
        self.root = root

    def there(self, path: bytes) -> int | None:
        at = self.root
        kind = stat.S_IFDIR
        for name in path.split(b"/"):
            if kind != stat.S_IFDIR:
                return None
            at = at + b"/" + name
            if not os.path.lexists(at):
                return None
            kind = stat.S_IFMT(os.lstat(at).st_mode)
        return kind

    def fresh(self, path: bytes) -> bytes:
        self.remove(path)
        return self.root + b"/" + path

    def touched(self, path: bytes) -> bytes:
        return self.root + b"/" + path

    def directory(self, path: bytes) -> None:
        if self.there(path) != stat.S_IFDIR:
            self.emptied(path)

    def emptied(self, path: bytes) -> None:
        self.remove(path)
        os.mkdir(self.root + b"/" + path, 0o755)

    def remove(self, path: bytes) -> None:
        real = self.root + b"/" + path
        if not os.path.lexists(real):
            return
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)


class UpperWriter:
    """Changes a snapshot being made through `runtime.snapshots.upper`."""

    def __init__(self, snapshotter: Snapshotter, active: Active) -> None:
        self.snapshotter, self.active = snapshotter, active

    def there(self, path: bytes) -> int | None:
        here = path.rpartition(b"/")[0]
        tree = self.snapshotter.active_tree(self.active)
        try:
            if here and tree.resolve(here).path != here:
                return None
            found = tree.lstat(path)
        except OSError:
            return None
        return None if found is None else stat.S_IFMT(found.stat.st_mode)

    def fresh(self, path: bytes) -> bytes:
        return replace(self.snapshotter, self.active, path)

    def touched(self, path: bytes) -> bytes:
        return copy_up(self.snapshotter, self.active, path)

    def directory(self, path: bytes) -> None:
        make_directory(self.snapshotter, self.active, path)

    def emptied(self, path: bytes) -> None:
        make_opaque_directory(self.snapshotter, self.active, path)

    def remove(self, path: bytes) -> None:
        there = self.there(path)
        assert hide(self.snapshotter, self.active, path) == (there is not None)


Step = tuple[str, bytes, bytes]


def apply(writer: Writer, step: Step) -> None:
    """One change, or none when its place isn't fit for it."""
    name, path, other = step
    parent = path.rpartition(b"/")[0]
    if parent and writer.there(parent) != stat.S_IFDIR:
        return
    kind = writer.there(path)
    if name in ("append", "chmod", "chown", "attribute", "capability", "link"):
        if kind is None or (kind != stat.S_IFREG and name not in ("chmod", "chown")) or kind == stat.S_IFLNK:
            return
        CHANGES[name](writer, path, other)
    else:
        MAKES[name](writer, path, other)


def _write(writer: Writer, path: bytes, other: bytes) -> None:
    with open(writer.fresh(path), "xb") as file:
        file.write(other)


def _append(writer: Writer, path: bytes, other: bytes) -> None:
    with open(writer.touched(path), "ab") as file:
        file.write(other)


def _chmod(writer: Writer, path: bytes, other: bytes) -> None:
    # fuse-overlayfs drops a directory's set-id bits when it copies one up.
    os.chmod(writer.touched(path), 0o711 if writer.there(path) == stat.S_IFDIR else 0o4711)


def _link(writer: Writer, path: bytes, other: bytes) -> None:
    target = path + b"2"
    real = writer.touched(path)
    os.link(real, writer.fresh(target))


def _device(writer: Writer, path: bytes, other: bytes) -> None:
    os.mknod(writer.fresh(path), stat.S_IFCHR | 0o600, os.makedev(1, 3))


CHANGES: dict[str, Callable[[Writer, bytes, bytes], object]] = {
    "append": _append,
    "chmod": _chmod,
    "chown": lambda writer, path, _: os.chown(writer.touched(path), 1234, 4321),
    "attribute": lambda writer, path, other: os.setxattr(writer.touched(path), "user.note", other),
    "capability": lambda writer, path, _: os.setxattr(
        writer.touched(path), "security.capability", CAPABILITY
    ),
    "link": _link,
}
MAKES: dict[str, Callable[[Writer, bytes, bytes], object]] = {
    "write": _write,
    "directory": lambda writer, path, _: writer.directory(path),
    "emptied": lambda writer, path, _: writer.emptied(path),
    "remove": lambda writer, path, _: writer.remove(path),
    "symlink": lambda writer, path, other: os.symlink(b"../" + other, writer.fresh(path)),
    "device": _device,
    "pipe": lambda writer, path, _: os.mkfifo(writer.fresh(path), 0o640),
}
