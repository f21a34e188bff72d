"""A directory, and what is in it by real paths, however deep.

The kernel walks every path from its start, so that a chain of directories would cost the square of its length.
Descriptors of directories on the way to the last path keep each walk short.
"""

from __future__ import annotations

import errno
import os
import stat

NEAR = 256
"""Bytes of a path that are left to the kernel; a name has at most 255."""
LONGEST_PATH = 4095

_LOOK = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Rooted:
    """The directory `root`. Paths are relative to it, real (no symlink in them), without slashes at the ends. Close
    it."""

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._passed: list[tuple[bytes, int]] = []

    def close(self) -> None:
        """Idempotent."""
        self._turn_back(b"")
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def near(self, path: bytes) -> tuple[int, bytes]:
        """Return a descriptor of a directory above `path`, and the path from there. Raises OSError where there is no
        such directory."""
        if len(path) <= NEAR:
            return self.fd, path
        if len(path) > LONGEST_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        self._turn_back(path)
        start, fd = (len(self._passed[-1][0]), self._passed[-1][1]) if self._passed else (0, self.fd)
        while len(path) - start > NEAR:
            cut = path.rfind(b"/", start, start + NEAR)
            if cut < 0:
                break  # the kernel says that the name is too long
            fd = os.open(path[start:cut], _PASS, dir_fd=fd)
            start = cut + 1
            self._passed.append((path[:start], fd))
        return fd, path[start:]

    def _turn_back(self, path: bytes) -> None:
        """Close the descriptors that are not on the way to `path`."""
        while self._passed and not path.startswith(self._passed[-1][0]):
            os.close(self._passed.pop()[1])

    def beneath_proc(self, path: bytes) -> bytes:
        """Return a path for the calls that take no descriptor."""
        return b"/proc/self/fd/%d/%b" % self.near(path)

    def lstat(self, path: bytes) -> os.stat_result | None:
        """Return the state of what is at a path; None when nothing is."""
        try:
            fd, name = self.near(path)
            return os.stat(name or b".", dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self, path: bytes) -> list[bytes]:
        """Return the names in a directory, in byte order."""
        above, name = self.near(path)
        fd = os.open(name or b".", _LOOK, dir_fd=above)
        try:
            return sorted(os.fsencode(name) for name in os.listdir(fd))
        finally:
            os.close(fd)

    def make_directory(self, path: bytes, mode: int) -> None:
        """Make a directory with exactly `mode`."""
        fd, name = self.near(path)
        os.mkdir(name, mode, dir_fd=fd)
        # mkdir subtracts the umask.
        os.chmod(name, mode, dir_fd=fd)

    def set_time(self, path: bytes, mtime: int) -> None:
        fd, name = self.near(path)
        os.utime(name, ns=(mtime, mtime), dir_fd=fd, follow_symlinks=False)

    def unlink(self, path: bytes) -> None:
        fd, name = self.near(path)
        os.unlink(name, dir_fd=fd)

    def remove_tree(self, path: bytes) -> None:
        """Remove a directory with everything in it."""
        stack = [path]
        while stack:
            directory = stack[-1]
            below = []
            for entry in self.names(directory):
                inner = directory + b"/" + entry
                fd, name = self.near(inner)
                state = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if stat.S_ISDIR(state.st_mode):
                    below.append(inner)
                else:
                    os.unlink(name, dir_fd=fd)
            stack += below
            if not below:
                fd, name = self.near(stack.pop())
                os.rmdir(name, dir_fd=fd)
        # A descriptor may be that of a directory that is gone.
        self._turn_back(b"")
