"""Removal of directory trees that other people's programs have written.

By directory descriptors, so no symlink is ever followed and nothing is reached by a path that someone swaps.
Mounts beneath are neither crossed nor taken down. Depth costs no descriptors and no recursion: directories
far down are moved up to the top first."""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Thread

DEEP = 48
"""Open directories at a time, at most."""
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GETFLAGS, _SETFLAGS, _IMMUTABLE, _APPEND = 0x80086601, 0x40086602, 0x10, 0x20


def remove_tree(path: str | bytes) -> None:
    """Delete whatever is at `path`, a directory with all its content. Idempotent: an absent path is fine.

    Permissions that forbid it to the owner, immutable and append-only flags are taken off where they can be.
    Raises OSError for what could not be deleted (a mount beneath: EBUSY), after everything else is gone.
    """
    path = os.fsencode(path)
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    parent = os.open(os.path.dirname(path) or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_entry(parent, os.path.basename(path), found, mounts=mounts_below(path), path=path)
    finally:
        os.close(parent)


def _remove_entry(
    parent: int, name: bytes, found: os.stat_result, *, mounts: Iterable[bytes] = (), path: bytes = b""
) -> None:
    """Delete entry `name`, whose lstat is `found`, of the directory open at `parent`. `mounts` are the mount
    points at or below it, by their paths when `path` is its own."""
    if not stat.S_ISDIR(found.st_mode):
        _forced(os.unlink, parent, name)
        return
    sweep = _Sweep(frozenset(mounts))
    if path not in sweep.mounts:
        sweep.empty(parent, name, path)
    elif sweep.failure is None:
        sweep.failure = OSError(errno.EBUSY, os.strerror(errno.EBUSY), os.fsdecode(path))
    if sweep.failure is not None:
        raise sweep.failure
    _forced(os.rmdir, parent, name)


class _Sweep:
    """Empties one directory, keeping the first failure."""

    __slots__ = ("failure", "mounts", "moved")

    def __init__(self, mounts: frozenset[bytes]) -> None:
        self.mounts = mounts
        self.failure: OSError | None = None
        self.moved = 0

    def empty(self, parent: int, name: bytes, path: bytes) -> None:
        top = _opened(parent, name)
        # Frames: descriptor, path, names of directories still to empty, name of the one being emptied.
        frames = [(top, path, self._unlinked(top, path), b"")]
        try:
            while frames:
                fd, here, directories, inside = frames.pop()
                if inside:
                    self._attempt(os.rmdir, fd, inside)
                if not directories and fd == top:
                    directories = self._unlinked(top, path) if self.moved else []
                    self.moved = 0
                if not directories:
                    if fd != top:
                        os.close(fd)
                    continue
                child = directories.pop()
                below = here + b"/" + child
                if len(frames) >= DEEP and not self.mounts and self._lift(fd, child, top):
                    frames.append((fd, here, directories, b""))
                    continue
                frames.append((fd, here, directories, child))
                try:
                    opened = _opened(fd, child)
                except OSError as failure:
                    self.failure = self.failure or failure
                    frames[-1] = (fd, here, directories, b"")
                    continue
                frames.append((opened, below, self._unlinked(opened, below), b""))
        finally:
            for fd, *_ in frames:
                if fd != top:
                    os.close(fd)
            os.close(top)

    def _lift(self, fd: int, name: bytes, top: int) -> bool:
        """Move a deep directory to the top, where it is emptied later."""
        target = b".%b" % os.urandom(12).hex().encode()
        try:
            _forced(
                lambda entry, *, dir_fd: os.rename(entry, target, src_dir_fd=dir_fd, dst_dir_fd=top), fd, name
            )
        except OSError:
            return False
        self.moved += 1
        return True

    def _unlinked(self, fd: int, path: bytes) -> list[bytes]:
        """Unlink what is not a directory; the names of the directories, without those mounted on."""
        directories = []
        with os.scandir(fd) as entries:
            found = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_directory in found:
            if self.mounts and path + b"/" + name in self.mounts:
                busy = OSError(errno.EBUSY, os.strerror(errno.EBUSY), os.fsdecode(path + b"/" + name))
                self.failure = self.failure or busy
            elif is_directory:
                directories.append(name)
            else:
                self._attempt(os.unlink, fd, name)
        return directories

    def _attempt(self, action: Callable[..., None], fd: int, name: bytes) -> None:
        try:
            _forced(action, fd, name)
        except OSError as failure:
            if self.failure is None and failure.errno != errno.ENOENT:
                self.failure = failure


def _forced(action: Callable[..., None], fd: int, name: bytes) -> None:
    """`action(name, dir_fd=fd)`, tried again with the directory writable and flags off."""
    try:
        action(name, dir_fd=fd)
    except PermissionError:
        _unlock(fd, b".")
        _unlock(fd, name)
        action(name, dir_fd=fd)


def _opened(parent: int, name: bytes) -> int:
    try:
        return os.open(name, _FLAGS, dir_fd=parent)
    except PermissionError:
        _unlock(parent, name)
        return os.open(name, _FLAGS, dir_fd=parent)


def _unlock(parent: int, name: bytes) -> None:
    """Owner's permissions on a directory, and no immutable or append-only flag on anything, as far as
    allowed."""
    import fcntl

    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        return
    try:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return
        through = f"/proc/self/fd/{fd}"
        if stat.S_ISDIR(mode) and mode & 0o700 != 0o700:
            try:
                os.chmod(through, 0o700)
            except OSError:
                pass
        try:
            real = os.open(through, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return
        try:
            flags = int.from_bytes(fcntl.ioctl(real, _GETFLAGS, bytes(8))[:4], "little")
            if flags & (_IMMUTABLE | _APPEND):
                fcntl.ioctl(real, _SETFLAGS, (flags & ~(_IMMUTABLE | _APPEND)).to_bytes(8, "little"))
        except OSError:
            pass
        finally:
            os.close(real)
    finally:
        os.close(fd)


def mounts_below(path: bytes) -> list[bytes]:
    """Mount points at or below `path` in this mount namespace, spelled as beginning with `path`."""
    real = os.path.realpath(path)
    found = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            point = line.split(b" ", 5)[4]
            if b"\\" in point:
                for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                    point = point.replace(code, byte)
            if point == real or point.startswith(real + b"/"):
                found.append(path + point[len(real) :])
    return found


class Discarder:
    """Removes directories in a thread of its own, while other work goes on. Thread-safe."""

    __slots__ = ("_guard", "_paths", "_thread")

    def __init__(self) -> None:
        from threading import Lock

        self._guard = Lock()
        self._paths: list[str | bytes] = []
        self._thread: Thread | None = None

    def discard(self, path: str | bytes) -> None:
        """Remove the tree at `path`, which nothing uses any more, soon."""
        from threading import Thread

        with self._guard:
            self._paths.append(path)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="discard", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return when everything discarded so far is removed."""
        while (thread := self._thread) is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._guard:
                if not self._paths:
                    self._thread = None
                    return
                path = self._paths.pop()
            try:
                remove_tree(path)
            except OSError:
                continue  # it lies in the process's work directory: the end of the build, or a sweep, tries again
