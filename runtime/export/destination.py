"""Destinations of exports: files that appear whole or not at all, and standard output."""

from __future__ import annotations

import errno
import os
import stat

from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.runtime.content.space import NO_ROOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

STDOUT = "-"


class ExportError(UserError):
    """An export could not be written; what was at its destination before is still there."""


def check_file(dest: str, type: str) -> None:
    """Raise UsageError when no file can be written at `dest`: a directory is there, or standard output is a
    terminal."""
    if dest == STDOUT:
        if os.isatty(1):
            raise UsageError(
                f"type={type} would write an archive to the terminal",
                help="redirect the output to a file, or give dest=FILE",
            )
        return
    if os.path.isdir(dest):
        raise UsageError(
            f"destination {dest!r} of type={type} is a directory",
            help=f"give a file name: dest={os.path.join(dest, 'image.tar')}",
        )


def check_directory(dest: str, type: str) -> None:
    """Raise UsageError when `dest` is something other than a directory."""
    if os.path.lexists(dest) and not os.path.isdir(dest):
        raise UsageError(
            f"destination {dest!r} of type={type} is not a directory",
            help="choose another directory, or remove the file",
        )


def failure(dest: str, error: OSError) -> ExportError:
    """Return the error for the user about an OSError while writing to `dest`."""
    help = "check that the directory exists and can be written"
    if error.errno == errno.EFBIG:
        help = "raise the limit of the size of files (ulimit -f unlimited), or choose another destination"
    elif error.errno in NO_ROOM:
        help = "free some space there, or choose another destination"
    elif error.errno == errno.EPIPE:
        help = "the program that reads the output ended early"
    return ExportError(f"cannot write {dest}: {error.strerror or error}", help=help)


class OutputFile:
    """A file that replaces `dest` when the context is left without an error.

    A regular file is made without a name (where the file system can) and renamed over the old one, through a
    symlink if `dest` is one; pipes, devices and `-` are written directly. Parents are made. An OSError leaves
    as ExportError.
    """

    __slots__ = ("_direct", "_mode", "_path", "_temporary", "dest", "fd")

    def __init__(self, dest: str) -> None:
        self.dest = dest
        self.fd = -1
        self._direct = False
        self._temporary = ""
        self._path = dest
        self._mode: int | None = None

    def __enter__(self) -> OutputFile:
        try:
            self._open()
        except OSError as error:
            raise failure(self.dest, error) from None
        return self

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]

    def copy(self, source: str) -> None:
        """Append the whole file at `source`."""
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while self._send(fd):
                pass
        finally:
            os.close(fd)

    def _send(self, fd: int) -> int:
        try:
            return os.sendfile(self.fd, fd, None, 1 << 30)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS):
                raise
        data = os.read(fd, 1 << 20)
        self.write(data)
        return len(data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._direct:
                self._publish()
        except OSError as problem:
            raise failure(self.dest, problem) from None
        finally:
            self._close()
        if isinstance(error, OSError):
            raise failure(self.dest, error) from None

    def _open(self) -> None:
        if self.dest == STDOUT:
            self.fd, self._direct = os.dup(1), True
            return
        # A rename over a symlink would replace the link and leave its target alone.
        self._path = os.path.realpath(self.dest)
        try:
            state = os.stat(self._path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
        else:
            if not stat.S_ISREG(state.st_mode):
                self.fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
                self._direct = True
                return
            self._mode = stat.S_IMODE(state.st_mode)
        directory = os.path.dirname(self._path)
        try:
            # A file without a name disappears by itself if the process is killed.
            self.fd = os.open(directory, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
        except OSError as error:
            # What file systems and kernels without O_TMPFILE answer.
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                raise
            temporary = self._name()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self.fd = os.open(temporary, flags, 0o666)
            self._temporary = temporary

    def _name(self) -> str:
        directory, base = os.path.split(self._path)
        return os.path.join(directory, f".{base[:200]}.{os.urandom(6).hex()}.tmp")

    def _publish(self) -> None:
        if self._mode is not None:
            os.fchmod(self.fd, self._mode)
        if not self._temporary:
            temporary = self._name()
            # With a directory's descriptor linkat(2) is called, which follows the link in /proc.
            os.link(f"/proc/self/fd/{self.fd}", temporary, src_dir_fd=self.fd, follow_symlinks=True)
            self._temporary = temporary
        os.rename(self._temporary, self._path)
        self._temporary = ""

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)
        temporary, self._temporary = self._temporary, ""
        if temporary:
            os.unlink(temporary)


def put_file(path: str, data: bytes) -> None:
    """Write a small file whole. Raises OSError."""
    with OutputFile(path) as file:
        file.write(data)
