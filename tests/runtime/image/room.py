"""Trees and snapshots for the tests of images: real stores and snapshotters, trees built by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pybuild.runtime.content.store import Store
from pybuild.runtime.snapshots.overlay import OverlaySnapshotter
from pybuild.runtime.snapshots.types import Change, Node


def walk_changes(root: bytes) -> Iterator[Change]:
    """A directory's content as changes over nothing."""

    def below(path: bytes, real: bytes) -> Iterator[Change]:
        for name in sorted(os.listdir(real)):
            inner, found = real + b"/" + name, path + b"/" + name if path else name
            state = os.lstat(inner)
            yield Change("add", found, Node(found, inner, state))
            if stat.S_ISDIR(state.st_mode):
                yield from below(found, inner)

    return below(b"", root)


def describe(root: str | bytes | os.PathLike[str], *, times: bool = True) -> dict[bytes, tuple[object, ...]]:
    """Everything a tree consists of, by path: kind and mode, owner, time in seconds, content or target,
    device, attributes, and the first name of its inode."""
    top = os.fsencode(root)
    out: dict[bytes, tuple[object, ...]] = {}
    inodes: dict[tuple[int, int], bytes] = {}
    for change in walk_changes(top):
        assert change.node is not None
        state, real = change.node.stat, change.node.real
        mode = state.st_mode
        content: object = None
        if stat.S_ISREG(mode):
            with open(real, "rb") as file:
                content = file.read()
        elif stat.S_ISLNK(mode):
            content = os.readlink(real)
        first = inodes.setdefault((state.st_dev, state.st_ino), change.path)
        attributes = {
            name: os.getxattr(real, name, follow_symlinks=False)
            for name in os.listxattr(real, follow_symlinks=False)
            if not name.startswith(("trusted.overlay.", "user.overlay.", "security.selinux"))
        }
        out[change.path] = (
            mode,
            state.st_uid,
            state.st_gid,
            state.st_mtime_ns // 10**9 if times else None,
            content,
            state.st_rdev,
            attributes,
            None if stat.S_ISDIR(mode) else first,
        )
    return out


class Room:
    """A store with an overlay snapshotter."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(str(path))
        self.snapshotter = OverlaySnapshotter(self.store)

    def snapshot(self, parent: int | None, files: dict[str, str | bytes | None]) -> int:
        """A snapshot with files by path (text or bytes; None: a directory), directories made as needed."""
        active = self.snapshotter.prepare(parent)
        for name, content in files.items():
            path = Path(os.fsdecode(active.upper)) / name
            if content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return active.commit()

    def close(self) -> None:
        self.store.close()
