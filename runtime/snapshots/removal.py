"""Remove directory trees that untrusted programs have written.

Everything goes by directory descriptors, so no symlink is followed, and a directory swapped for a symlink meanwhile
leads nowhere else. Mounts in the tree are neither entered nor unmounted. A deep tree takes neither recursion nor a
descriptor for each level: directories far down are moved to the top first.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Thread

DEEP = 48
"""The most directories to have open at a time."""
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# FS_IOC_GETFLAGS and FS_IOC_SETFLAGS with two of their flags (ioctl_iflags(2)).
_GETFLAGS, _SETFLAGS, _IMMUTABLE, _APPEND = 0x80086601, 0x40086602, 0x10, 0x20


def remove_tree(path: str | bytes) -> None:
    """Delete whatever is at `path`, a directory with all its content. Idempotent: an absent path is fine.

    Permissions of the owner and immutable or append-only flags that forbid it are changed where possible. Raises
    OSError for the first entry that could not be deleted (EBUSY for a mount), after everything else is gone.
    """
    path = os.fsencode(path)
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    parent = os.open(os.path.dirname(path) or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_entry(parent, os.path.basename(path), status, mounts=mounts_below(path), path=path)
    finally:
        os.close(parent)


def _remove_entry(
    parent: int, name: bytes, status: os.stat_result, *, mounts: Iterable[bytes] = (), path: bytes = b""
) -> None:
    """Delete entry `name`, whose lstat is `status`, of the directory open as `parent`. `mounts` are the mount
    points at or below it, in paths that begin with its own, `path`."""
    if not stat.S_ISDIR(status.st_mode):
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
    """The emptying of one directory. It goes on after a failure and keeps the first."""

    __slots__ = ("failure", "mounts", "moved")

    def __init__(self, mounts: frozenset[bytes]) -> None:
        self.mounts = mounts
        self.failure: OSError | None = None
        self.moved = 0

    def empty(self, parent: int, name: bytes, path: bytes) -> None:
        """Empty directory `name` of the directory open as `parent`. `path` is its path, for `mounts`."""
        top = _opened(parent, name)
        # A frame for each open directory: descriptor, path, names of subdirectories still to empty, and the name of
        # the one that the frame above is emptying.
        frames = [(top, path, self._unlinked(top, path), b"")]
        try:
            while frames:
                fd, here, directories, inside = frames.pop()
                if inside:
                    self._attempt(os.rmdir, fd, inside)
                if not directories and fd == top:
                    # Deep directories were moved here meanwhile.
                    directories = self._unlinked(top, path) if self.moved else []
                    self.moved = 0
                if not directories:
                    if fd != top:
                        os.close(fd)
                    continue
                child = directories.pop()
                below = here + b"/" + child
                # With mounts in the tree nothing is moved: they are known by their paths.
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
        """Move a deep directory to the top, where it is emptied later. Returns false if that fails."""
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
        """Unlink everything that is not a directory. Returns the names of the directories, without mount points."""
        directories = []
        with os.scandir(fd) as entries:
            names = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_directory in names:
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
    """Call `action(name, dir_fd=fd)`; if permission is denied, make the directory writable, take flags off both and
    try once more."""
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
    """Give the owner all permissions on a directory, and take immutable and append-only flags off it or a file, as
    far as allowed."""
    import fcntl

    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        return
    try:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return
        # chmod and ioctl don't take an O_PATH descriptor. Its name in /proc leads to the same inode, whatever has
        # the entry's name by then.
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
    """The mount points at or below `path` in this mount namespace, as paths that begin with `path`."""
    real = os.path.realpath(path)
    points = []
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:
            point = line.split(b" ", 5)[4]
            if b"\\" in point:  # the kernel escapes these four bytes in octal
                for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
                    point = point.replace(code, byte)
            if point == real or point.startswith(real + b"/"):
                points.append(path + point[len(real) :])
    return points


class Discarder:
    """Removes directories in a background thread. Thread-safe."""

    __slots__ = ("_guard", "_paths", "_thread")

    def __init__(self) -> None:
        from threading import Lock

        self._guard = Lock()
        self._paths: list[str | bytes] = []
        self._thread: Thread | None = None

    def discard(self, path: str | bytes) -> None:
        """Queue the tree at `path` for removal; nothing may use it any more."""
        from threading import Thread

        with self._guard:
            self._paths.append(path)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="discard", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Wait until everything discarded so far is removed."""
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
