"""Unpacking of archives into a directory, which nothing in the archive can lead out of.

Plan, for each entry:
1. Its name is cleaned: empty and `.` parts dropped, `..` taken back lexically, never above the root.
2. The parent is found part by part with `lstat`; a symlink on the way is expanded inside the root, a missing
   part is made. Found parents are kept; taking away a directory or a symlink forgets them.
3. What is at its place goes first, unless both are directories.
4. It is made with O_EXCL relative to the root's descriptor; owner, mode, attributes and time are set in this
   order, for directories mode and time when everything is done.

A `Layering` adds what a layer means beyond that: whiteouts, opaque directories, and which entries are its
own.
"""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import UserError
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
from pybuild.runtime.snapshots.contents import is_overlays_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.image.decompression import Pull
    from pybuild.runtime.image.layering import Layering

MAX_LINKS = 40
MAX_ID = (1 << 32) - 2

_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ExtractError(UserError):
    """An entry can't be unpacked: `entry` is its name."""

    def __init__(self, archive: str, entry: bytes, reason: str, help: str) -> None:
        super().__init__(f"cannot unpack {os.fsdecode(entry)!r} of {archive}: {reason}", help=help)
        self.entry = entry


class Extracted:
    """The outcome of unpacking: the number of `entries`, the `size` in bytes of files, and `skipped` as
    (name, reason): what this process may not make (device nodes in a user namespace, attributes that the file
    system lacks)."""

    __slots__ = ("entries", "size", "skipped")

    def __init__(self) -> None:
        self.entries = 0
        self.size = 0
        self.skipped: list[tuple[bytes, str]] = []


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


class Extractor:
    """The unpacking of one archive. Paths are relative to the root, real (no symlink in them), without
    slashes at the ends."""

    def __init__(
        self,
        root: bytes,
        *,
        owners: bool = True,
        owner: tuple[int, int] | None = None,
        archive: str = "archive",
        layering: Layering | None = None,
    ) -> None:
        self.root = root
        self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.done = Extracted()
        self._owners = owners
        self._owner = owner
        self._archive = archive
        self._layering = layering
        self._marks = layering is not None
        self._parents: dict[bytes, bytes] = {b"": b""}
        self._directories: dict[bytes, Entry] = {}
        if layering is not None:
            layering.begin(self)

    def close(self) -> None:
        """Idempotent."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def run(self, reader: TarReader) -> None:
        """Unpack every entry, then finish directories."""
        for entry in reader:
            try:
                self._place(entry, reader)
            except OSError as error:
                raise self._failure(entry, error) from None
        # Last, and those inside first: making an entry changes its directory's time, and a mode may forbid to
        # enter.
        for path, entry in reversed(self._directories.items()):
            try:
                self._finish_directory(path, entry)
            except OSError as error:
                raise self._failure(entry, error) from None
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

    def _above(self, path: bytes, entry: Entry) -> bytes:
        """Return the real path that `..` in the directory at a real path leads to."""
        return path.rpartition(b"/")[0]

    def _path(self, parent: bytes, name: bytes, entry: Entry) -> bytes:
        """Return the path at which an entry is made."""
        return parent + b"/" + name if parent else name

    def _parent(self, parts: list[bytes], entry: Entry) -> bytes:
        """Return the real path of the directory that `parts` lead to, which is made if missing."""
        key = b"/".join(parts)
        known = self._parents.get(key)
        if known is None:
            known = self._parents[key] = self._walk(parts, entry)
        return known

    def _walk(self, parts: list[bytes], entry: Entry) -> bytes:
        at = b""
        rest = parts[::-1]
        links = 0
        while rest:
            part = rest.pop()
            if part == b"..":
                at = self._above(at, entry)
                continue
            path = at + b"/" + part if at else part
            state = self.lstat(path)
            if state is not None and not stat.S_ISDIR(state.st_mode):
                # A file or link of the parent snapshot doesn't lead the layer's paths: a directory takes its
                # place.
                if self._layering is not None and self._layering.below(path, state):
                    self.remove(path)
                    state = None
                elif stat.S_ISLNK(state.st_mode):
                    links += 1
                    if links > MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    target = os.readlink(path, dir_fd=self.fd)
                    # An absolute link starts at the root of what is unpacked, never at the process's root.
                    if target.startswith(b"/"):
                        at = b""
                    rest += [step for step in target.split(b"/") if step not in (b"", b".")][::-1]
                    continue
                else:
                    raise self.refuse(entry, f"{os.fsdecode(path)!r} is not a directory")
            if state is None:
                os.mkdir(path, 0o755, dir_fd=self.fd)
                # mkdir subtracts the umask.
                os.chmod(path, 0o755, dir_fd=self.fd)
                if self._layering is not None:
                    self._layering.implied(path)
            elif self._layering is not None:
                self._layering.entered(path, state)
            at = path
        return at

    def lstat(self, path: bytes) -> os.stat_result | None:
        """Return the state of what is at a real path; None when nothing is."""
        try:
            return os.stat(path or b".", dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def remove(self, path: bytes) -> None:
        """Remove what is at `path`, with everything in it."""
        state = self.lstat(path)
        if state is None:
            return
        if stat.S_ISDIR(state.st_mode):
            self._remove_tree(path)
            inside = path + b"/"
            for inner in [p for p in self._directories if p == path or p.startswith(inside)]:
                del self._directories[inner]
        else:
            os.unlink(path, dir_fd=self.fd)
        # Remembered parents may lead through what was removed.
        if stat.S_ISDIR(state.st_mode) or stat.S_ISLNK(state.st_mode):
            self._parents = {b"": b""}
        if self._layering is not None:
            self._layering.removed(path)

    def _remove_tree(self, path: bytes) -> None:
        stack = [path]
        while stack:
            directory = stack[-1]
            below = []
            for entry in self.names(directory):
                inner = directory + b"/" + entry
                state = os.stat(inner, dir_fd=self.fd, follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    below.append(inner)
                else:
                    os.unlink(inner, dir_fd=self.fd)
            stack += below
            if not below:
                os.rmdir(stack.pop(), dir_fd=self.fd)

    def names(self, path: bytes) -> list[bytes]:
        """Return the names in the directory at a real path, in byte order."""
        fd = os.open(path or b".", _LOOK, dir_fd=self.fd)
        try:
            return sorted(os.fsencode(name) for name in os.listdir(fd))
        finally:
            os.close(fd)

    # Making entries.

    def _directory(self, entry: Entry, path: bytes) -> None:
        # Closed to others until its owner and mode are set at the end.
        try:
            os.mkdir(path, 0o700, dir_fd=self.fd)
        except FileExistsError:
            state = self.lstat(path)
            if state is None or not stat.S_ISDIR(state.st_mode):
                self.remove(path)
                os.mkdir(path, 0o700, dir_fd=self.fd)
        if self._owners:
            os.chown(path, entry.uid, entry.gid, dir_fd=self.fd, follow_symlinks=False)
        self._directories.pop(path, None)
        self._directories[path] = entry

    def _finish_directory(self, path: bytes, entry: Entry) -> None:
        fd = os.open(path, _LOOK, dir_fd=self.fd)
        try:
            os.fchmod(fd, entry.mode & 0o7777)
            if entry.attributes:
                self._attributes(entry, fd)
            os.utime(fd, ns=(entry.mtime, entry.mtime))
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
            fd = os.open(path, _MAKE, 0o600, dir_fd=self.fd)
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
        if kind == SYMLINK:
            os.symlink(entry.link, path, dir_fd=self.fd)
        elif kind == FIFO:
            os.mkfifo(path, 0o600, dir_fd=self.fd)
        elif not self._device(entry, path):
            return
        self._metadata(entry, path, symlink=kind == SYMLINK)

    def _metadata(self, entry: Entry, path: bytes, *, symlink: bool) -> None:
        if self._owners:
            os.chown(path, entry.uid, entry.gid, dir_fd=self.fd, follow_symlinks=False)
        if not symlink:
            os.chmod(path, entry.mode & 0o7777, dir_fd=self.fd)
        if entry.attributes:
            # There is no setxattr relative to a descriptor; the path is real, so only its last part could be
            # a link.
            self._attributes(entry, b"/proc/self/fd/%d/%b" % (self.fd, path))
        os.utime(path, ns=(entry.mtime, entry.mtime), dir_fd=self.fd, follow_symlinks=False)

    def _device(self, entry: Entry, path: bytes) -> bool:
        assert entry.kind in (CHARACTER, DEVICE)
        kind = stat.S_IFCHR if entry.kind == CHARACTER else stat.S_IFBLK
        major, minor = entry.device
        if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
            raise self.refuse(entry, f"device number {major}:{minor} is out of range")
        # In an overlay's upper directory this device is a whiteout.
        if self._marks and kind == stat.S_IFCHR and (major, minor) == (0, 0):
            self.done.skipped.append((entry.name, "a device 0:0 means a deletion in a snapshot"))
            return False
        try:
            os.mknod(path, 0o600 | kind, os.makedev(major, minor), dir_fd=self.fd)
        except PermissionError:
            self.done.skipped.append((entry.name, "this user may not make device nodes"))
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
        os.link(target, path, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
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
                    self.done.skipped.append((entry.name, reason))
                    continue
                raise

    def refuse(self, entry: Entry, reason: str) -> ExtractError:
        return ExtractError(self._archive, entry.name, reason, "make the archive anew without this entry")

    def _failure(self, entry: Entry, error: OSError) -> ExtractError:
        help = "check the disk and the permissions of the target directory"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            help = "free some space on the disk that holds the target"
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
