"""A selection of the building machine's files as a tree: symlinks as they are, directories as needed.

Paths are absolute. A file enters under the path it really has, and each symlink on the way to it enters as a
symlink, so every name by which the machine reaches it works in the tree too.
"""

from __future__ import annotations

import errno
import os
import stat

MOST_LINKS = 40
"""Symlinks that one path may lead through, as in the kernel."""

DIRECTORY, FILE, LINK = "directory", "file", "link"


class Entry:
    """One entry. `mode` are permission bits; `real` the machine's file whose bytes it has, else they are
    `data`; `target` is a symlink's."""

    __slots__ = ("data", "kind", "mode", "real", "target")

    def __init__(self, kind: str, mode: int, *, data: bytes = b"", real: str = "", target: str = "") -> None:
        self.kind = kind
        self.mode = mode
        self.data = data
        self.real = real
        self.target = target


class HostTree:
    """The tree so far, and `consulted`: every path of the machine whose state decided what is in it, whether
    something was there or not."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.consulted: set[str] = set()

    def find(self, path: str) -> str | None:
        """The real path of what is at `path` on the machine, without adding it; None if nothing is."""
        try:
            return self._walk(path, {})
        except OSError:
            return None

    def add(self, path: str) -> str:
        """Add the file or directory at `path` and the symlinks that lead to it; its real path. Idempotent.

        Raises OSError: nothing there, a component that is no directory, more than 40 links.
        """
        links: dict[str, str] = {}
        real = self._walk(path, links)
        for link, target in links.items():
            self._put(link, Entry(LINK, 0o777, target=target))
        found = os.lstat(real)
        if stat.S_ISDIR(found.st_mode):
            self.directory(real)
        elif real not in self.entries:
            self._put(real, Entry(FILE, stat.S_IMODE(found.st_mode), real=real))
        return real

    def _walk(self, path: str, links: dict[str, str]) -> str:
        """Follow `path` as the kernel does; the symlinks met go into `links`."""
        left = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        real = ""
        count = 0
        while left:
            part = left.pop()
            if part == "..":
                real = real.rpartition("/")[0]
                continue
            step = f"{real}/{part}"
            self.consulted.add(step)
            found = os.lstat(step)
            if not stat.S_ISLNK(found.st_mode):
                if left and not stat.S_ISDIR(found.st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), step)
                real = step
                continue
            count += 1
            if count > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = links[step] = os.readlink(step)
            if target.startswith("/"):
                real = ""
            left.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        return real or "/"

    # What the machine does not decide

    def directory(self, path: str, mode: int = 0o755) -> str:
        """Make `path` and what leads to it directories, through the tree's own symlinks; its real path.

        One that is there gains the permissions of `mode` and loses none.
        """
        real = ""
        left = [part for part in reversed(path.split("/")) if part]
        for _ in range(MOST_LINKS * 64):
            if not left:
                break
            part = left.pop()
            if part == "..":
                real = real.rpartition("/")[0]
                continue
            step = f"{real}/{part}"
            entry = self.entries.get(step)
            if entry is not None and entry.kind == LINK:
                if entry.target.startswith("/"):
                    real = ""
                left.extend(part for part in reversed(entry.target.split("/")) if part not in ("", "."))
                continue
            if entry is None:
                self.entries[step] = Entry(DIRECTORY, 0o755 if left else mode)
            elif not left:
                entry.mode |= mode
            real = step
        return real

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file with bytes of our own, in place of any at that path."""
        parent, _, name = path.rpartition("/")
        self.entries[f"{self.directory(parent)}/{name}"] = Entry(FILE, mode, data=data)

    def link(self, path: str, target: str) -> None:
        """A symlink of our own; what is there already stays."""
        parent, _, name = path.rpartition("/")
        self.entries.setdefault(f"{self.directory(parent)}/{name}", Entry(LINK, 0o777, target=target))

    def _put(self, real: str, entry: Entry) -> None:
        self.directory(real.rpartition("/")[0])
        self.entries[real] = entry
