"""Unpacking of archives into a directory, which nothing in the archive can lead out of.

Plan, for each entry:
1. Its name is cleaned: empty and `.` parts dropped, `..` taken back lexically, never above the root.
2. The parent is found part by part with `lstat`; a symlink on the way is expanded inside the root, a missing
   part is made. Found parents are kept, and the search for another begins at the nearest; taking away a
   directory or a symlink forgets them.
3. What is at its place goes first, unless both are directories.
4. It is made with O_EXCL relative to a descriptor; owner, mode, attributes and time are set in this order, for
   directories mode and time when everything is done.

A `Layering` adds what a layer means beyond that: whiteouts, opaque directories, and which entries are its
own.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.runtime.content.space import NO_ROOM, advice
from pybuild.runtime.image.decompression import ArchiveError
from pybuild.runtime.image.filecontent import write_content
from pybuild.runtime.image.tarreader import (
    CHARACTER,
    DEVICE,
    DIRECTORY,
    FIFO,
    FILE,
    LINK,
    SYMLINK,
    Entry,
    TarReader,
)
from pybuild.runtime.image.ways import ExtractError, Ways
from pybuild.runtime.snapshots.contents import is_overlays_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image.decompression import Pull
    from pybuild.runtime.image.ways import Layering

MAX_ID = (1 << 32) - 2

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

MAX_SKIPPED = 100
"""Most entries that are named as skipped."""


class Extracted:
    """The outcome of unpacking: the number of `entries`, the `size` in bytes of files, and the first of the
    `skipped_count` that were `skipped` as (name, reason): what this process may not make (device nodes in a
    user namespace, attributes that the file system lacks)."""

    __slots__ = ("entries", "size", "skipped", "skipped_count")

    def __init__(self) -> None:
        self.entries = 0
        self.size = 0
        self.skipped: list[tuple[bytes, str]] = []
        self.skipped_count = 0

    def skip(self, name: bytes, reason: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < MAX_SKIPPED:
            self.skipped.append((name, reason))


def extract(
    pull: Pull,
    root: bytes,
    *,
    owners: bool = True,
    owner: tuple[int, int] | None = None,
    archive: str = "archive",
    layering: Layering | None = None,
) -> Extracted:
    """Unpack the archive that `pull` returns into directory `root`, and read the stream to its end. Without
    `owners` the process owns every entry; `owner` (user, group) replaces the archive's owners. Without
    `layering` names that begin with `.wh.` are ordinary names. Raises ArchiveError for a damaged archive and
    ExtractError naming the entry; what was unpacked before stays."""
    extractor = Extractor(root, owners=owners, owner=owner, archive=archive, layering=layering)
    return extract_all(extractor, pull, archive)


def extract_all(extractor: Extractor, pull: Pull, archive: str) -> Extracted:
    """Unpack a whole archive with `extractor`, read the stream to its end, and close it. Raises as
    `extract`."""
    try:
        reader = TarReader(pull, archive)
        extractor.run(reader)
        reader.drain()
    finally:
        extractor.close()
    return extractor.done


class _Finish:
    """The metadata that a directory gets when everything is unpacked. It is all that is kept of an entry: a long
    archive must not fill the memory with names and attributes."""

    __slots__ = ("mode", "mtime")

    def __init__(self, entry: Entry) -> None:
        self.mode = entry.mode & 0o7777
        self.mtime = entry.mtime


class Extractor(Ways):
    """The unpacking of one archive."""

    def __init__(
        self,
        root: bytes,
        *,
        owners: bool = True,
        owner: tuple[int, int] | None = None,
        archive: str = "archive",
        layering: Layering | None = None,
    ) -> None:
        super().__init__(root, archive, layering)
        self.done = Extracted()
        self._owners = owners
        self._owner = owner
        self._marks = layering is not None
        self._directories: dict[bytes, _Finish] = {}
        if layering is not None:
            layering.begin(self)

    def run(self, reader: TarReader) -> None:
        """Unpack every entry, then finish directories."""
        for entry in reader:
            try:
                self._place(entry, reader)
            except OSError as error:
                raise self._failure(entry, error) from None
        # Last, and those inside first: making an entry changes its directory's time, and a mode may forbid to
        # enter.
        for path, directory in reversed(self._directories.items()):
            try:
                self._finish_directory(path, directory)
            except OSError as error:
                raise self._failure(Entry(DIRECTORY, path), error) from None
        if self._layering is not None:
            self._layering.end(self._directories)

    def _place(self, entry: Entry, reader: TarReader) -> None:
        if b"\0" in entry.name or b"\0" in entry.link:
            raise self.refuse(entry, "its name or its link's target has a zero byte")
        parts = self._parts(entry.name, entry)
        if not parts:
            return
        if self._owner is not None:
            entry.uid, entry.gid = self._owner
        if not (0 <= entry.uid <= MAX_ID and 0 <= entry.gid <= MAX_ID):
            raise self.refuse(entry, f"owner {entry.uid}:{entry.gid} is out of range")
        name = parts.pop()
        parent = self._parent(parts, entry)
        layering = self._layering
        if layering is not None and name.startswith(b".wh."):
            if not layering.mark(parent, name):
                raise self.refuse(entry, "a whiteout without a name")
            return
        path = self._path(parent, name, entry)
        if entry.kind == LINK and self._link(entry, path):
            pass
        elif entry.kind == DIRECTORY:
            self._directory(entry, path)
        elif entry.kind != LINK:
            self._make(entry, path, reader)
        self.done.entries += 1
        if layering is not None:
            layering.made(path)

    # Finding places.

    def _parts(self, name: bytes, entry: Entry) -> list[bytes]:
        return clean(name)

    def _path(self, parent: bytes, name: bytes, entry: Entry) -> bytes:
        """Return the path at which an entry is made."""
        return parent + b"/" + name if parent else name

    def _gone(self, path: bytes) -> None:
        inside = path + b"/"
        for inner in [p for p in self._directories if p == path or p.startswith(inside)]:
            del self._directories[inner]

    # Making entries.

    def _directory(self, entry: Entry, path: bytes) -> None:
        # Closed to others until its owner and mode are set at the end.
        fd, name = self.near(path)
        try:
            os.mkdir(name, 0o700, dir_fd=fd)
        except FileExistsError:
            state = self.lstat(path)
            if state is None or not stat.S_ISDIR(state.st_mode):
                self.remove(path)
                fd, name = self.near(path)
                os.mkdir(name, 0o700, dir_fd=fd)
        if self._owners:
            os.chown(name, entry.uid, entry.gid, dir_fd=fd, follow_symlinks=False)
        if entry.attributes:
            self._attributes(entry, self.beneath_proc(path))
        self._directories.pop(path, None)
        self._directories[path] = _Finish(entry)

    def _finish_directory(self, path: bytes, directory: _Finish) -> None:
        above, name = self.near(path)
        fd = os.open(name, _LOOK, dir_fd=above)
        try:
            os.fchmod(fd, directory.mode)
            os.utime(fd, ns=(directory.mtime, directory.mtime))
        finally:
            os.close(fd)

    def _make(self, entry: Entry, path: bytes, reader: TarReader) -> None:
        try:
            self._create(entry, path, reader)
        except FileExistsError:
            self.remove(path)
            self._create(entry, path, reader)

    def _create(self, entry: Entry, path: bytes, reader: TarReader) -> None:
        kind = entry.kind
        if kind == FILE:
            above, name = self.near(path)
            fd = os.open(name, _MAKE, 0o600, dir_fd=above)
            try:
                write_content(entry, fd, reader)
                self.done.size += entry.size
                if self._owners:
                    os.fchown(fd, entry.uid, entry.gid)
                # After the owner: the kernel clears set-id bits and file capabilities in chown(2).
                os.fchmod(fd, entry.mode & 0o7777)
                if entry.attributes:
                    self._attributes(entry, fd)
                os.utime(fd, ns=(entry.mtime, entry.mtime))
            finally:
                os.close(fd)
            return
        above, name = self.near(path)
        if kind == SYMLINK:
            os.symlink(entry.link, name, dir_fd=above)
        elif kind == FIFO:
            os.mkfifo(name, 0o600, dir_fd=above)
        elif not self._device(entry, path):
            return
        self._metadata(entry, path, symlink=kind == SYMLINK)

    def _metadata(self, entry: Entry, path: bytes, *, symlink: bool) -> None:
        fd, name = self.near(path)
        if self._owners:
            os.chown(name, entry.uid, entry.gid, dir_fd=fd, follow_symlinks=False)
        if not symlink:
            os.chmod(name, entry.mode & 0o7777, dir_fd=fd)
        if entry.attributes:
            # There is no setxattr relative to a descriptor; the path is real, so only its last part could be
            # a link.
            self._attributes(entry, self.beneath_proc(path))
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=fd, follow_symlinks=False)

    def _device(self, entry: Entry, path: bytes) -> bool:
        assert entry.kind in (CHARACTER, DEVICE)
        kind = stat.S_IFCHR if entry.kind == CHARACTER else stat.S_IFBLK
        major, minor = entry.device
        if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
            raise self.refuse(entry, f"device number {major}:{minor} is out of range")
        # In an overlay's upper directory this device is a whiteout.
        if self._marks and kind == stat.S_IFCHR and (major, minor) == (0, 0):
            self.done.skip(entry.name, "a device 0:0 means a deletion in a snapshot")
            return False
        try:
            fd, name = self.near(path)
            os.mknod(name, 0o600 | kind, os.makedev(major, minor), dir_fd=fd)
        except PermissionError:
            self.done.skip(entry.name, "this user may not make device nodes")
            return False
        return True

    def _link(self, entry: Entry, path: bytes) -> bool:
        """Make a hard link. As in Docker the file takes this entry's owner, mode and times; a symlink keeps
        its own. Always returns True."""
        parts = self._parts(entry.link, entry)
        if not parts:
            raise self.refuse(entry, "a hard link without a target")
        name = parts.pop()
        parent = self._parent(parts, entry)
        target = parent + b"/" + name if parent else name
        if target == path:
            if self.lstat(path) is None:
                raise self.refuse(entry, "a hard link to itself")
            return True
        state = self.lstat(target)
        if state is None or (self._layering is not None and self._layering.below(target, state)):
            raise self.refuse(entry, f"its target {os.fsdecode(entry.link)!r} is not in the archive")
        if stat.S_ISDIR(state.st_mode):
            raise self.refuse(entry, f"its target {os.fsdecode(entry.link)!r} is a directory")
        if self.lstat(path) is not None:
            # Removing what is at the path would remove the target inside it.
            if target.startswith(path + b"/"):
                raise self.refuse(entry, f"it would replace {os.fsdecode(entry.link)!r}, its own target")
            self.remove(path)
        # The descriptor for one path may be closed on the way to the other.
        source, old = self.near(target)
        source = os.dup(source)
        try:
            fd, new = self.near(path)
            os.link(old, new, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)
        finally:
            os.close(source)
        if not stat.S_ISLNK(state.st_mode):
            self._metadata(entry, path, symlink=False)
        return True

    def _attributes(self, entry: Entry, where: int | bytes) -> None:
        """Set extended attributes, overlay's own excepted: they would change what the snapshot means."""
        for key, value in (entry.attributes or {}).items():
            if is_overlays_own(os.fsdecode(key)) or b"\0" in key:
                continue
            try:
                os.setxattr(where, key, value, follow_symlinks=isinstance(where, int))
            except OSError as error:
                if error.errno == errno.ENOTSUP or (
                    error.errno == errno.EPERM and not key.startswith(b"security.capability")
                ):
                    reason = f"attribute {os.fsdecode(key)}: {error.strerror}"
                    self.done.skip(entry.name, reason)
                    continue
                raise

    def _failure(self, entry: Entry, error: OSError) -> ExtractError:
        help = "check the disk and the permissions of the target directory"
        if error.errno in NO_ROOM:
            help = advice()
        elif error.errno == errno.EINVAL and self._owners:
            help = (
                f"its owner {entry.uid}:{entry.gid} may lie outside the ids this user can give: add a wider "
                "range to /etc/subuid and /etc/subgid"
            )
        elif error.errno == errno.EPERM and self._owners and os.geteuid() != 0:
            help = "an ordinary user can't give files away: unpack as root or in a user namespace"
        return ExtractError(self._archive, entry.name, error.strerror or str(error), help)


def clean(name: bytes) -> list[bytes]:
    """Return the parts of a member's name, without empty ones, `.` and `..`."""
    if b"//" not in name and b"." not in name:
        return name.strip(b"/").split(b"/") if name.strip(b"/") else []
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    return parts


__all__ = ["ArchiveError", "ExtractError", "Extracted", "Extractor", "clean", "extract"]
