"""A tree of selected files of the building machine.

Paths are absolute. A file is added at its real path, and each symlink on the way to it as a symlink, so that all
names that were used for it work in the tree too. Directories are added as needed.
"""

from __future__ import annotations

import errno
import os
import stat

MOST_LINKS = 40
"""Symlinks that are followed in one path: the kernel's limit."""

DIRECTORY, FILE, LINK = "directory", "file", "link"


class Entry:
    """An entry. `mode` are permission bits; `real` is the file of the machine with its bytes, "" if they are `data`;
    `target` is that of a symlink."""

    __slots__ = ("data", "kind", "mode", "real", "target")

    def __init__(self, kind: str, mode: int, *, data: bytes = b"", real: str = "", target: str = "") -> None:
        self.kind = kind
        self.mode = mode
        self.data = data
        self.real = real
        self.target = target


class HostTree:
    """A tree that grows by `add`. `consulted` are all paths of the machine whose state decided its content, missing
    ones included."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.consulted: set[str] = set()

    def find(self, path: str) -> str | None:
        """Return the real path of `path` on the machine, None if it is missing. Adds nothing."""
        try:
            return self._walk(path, {})
        except OSError:
            return None

    def add(self, path: str) -> str:
        """Add the file or directory at `path` and the symlinks on the way, and return its real path. Idempotent.

        Raises OSError for a missing path, a component that is no directory, and more than 40 links.
        """
        links: dict[str, str] = {}
        real = self._walk(path, links)
        for link, target in links.items():
            self._put(link, Entry(LINK, 0o777, target=target))
        mode = os.lstat(real).st_mode
        if stat.S_ISDIR(mode):
            self.directory(real)
        elif real not in self.entries:
            self._put(real, Entry(FILE, stat.S_IMODE(mode), real=real))
        return real

    def _walk(self, path: str, links: dict[str, str]) -> str:
        """Resolve `path` as the kernel does, and add the symlinks on the way to `links`."""
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
            mode = os.lstat(step).st_mode
            if not stat.S_ISLNK(mode):
                if left and not stat.S_ISDIR(mode):
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

    # Entries that are not the machine's

    def directory(self, path: str, mode: int = 0o755) -> str:
        """Add the directory `path` and those above it, following the tree's symlinks, and return its real path.

        An existing one gains the permissions of `mode` and loses none.
        """
        real = ""
        left = [part for part in reversed(path.split("/")) if part]
        # Bounded, as symlinks of the tree may form a cycle.
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
        """Add a file with the bytes `data`, replacing any entry."""
        parent, _, name = path.rpartition("/")
        self.entries[f"{self.directory(parent)}/{name}"] = Entry(FILE, mode, data=data)

    def link(self, path: str, target: str) -> None:
        """Add a symlink unless there is an entry."""
        parent, _, name = path.rpartition("/")
        self.entries.setdefault(f"{self.directory(parent)}/{name}", Entry(LINK, 0o777, target=target))

    def _put(self, real: str, entry: Entry) -> None:
        self.directory(real.rpartition("/")[0])
        self.entries[real] = entry
