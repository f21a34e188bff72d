"""Directories below a root, with no way to write outside of it.

A directory is known by its descriptor, and every step to another one follows no link: whatever others do to the
directories meanwhile, a write stays below the root. A link on the way to a destination is read, and is followed if it
leads to a place below the root.
"""

from __future__ import annotations

import errno
import os

from pybuild.lang.diagnostics import Diagnostic, UserError
from pybuild.runtime.export.destination import ExportError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
LINK_LIMIT = 40


class OutsideProject(UserError):
    """An output would leave the project."""

    def __init__(self, dest: str, root: str, why: str = "") -> None:
        title = f"an output must stay in the project: {dest} is outside of {root}"
        if why:
            title = f"an output must stay in the project: {why}"
        super().__init__(Diagnostic(title, code="E0904"), help="name a path below the project's directory")


class Beneath:
    """The directory `path` below the absolute `root`, made with its parents if missing; a context. `fd` is
    its descriptor, `made` whether it was missing. `undo` removes the directories that were made, if they are
    empty."""

    __slots__ = ("_given", "_made", "_parts", "_root", "fd", "path")

    def __init__(self, root: str, path: str) -> None:
        self.path = path
        self._given = os.path.normpath(root)
        self._root = os.path.realpath(root)
        self._made: list[list[bytes]] = []
        self._parts: list[bytes] = []
        self.fd = -1

    @property
    def made(self) -> bool:
        return self._parts in self._made

    def __enter__(self) -> Beneath:
        """Raises OutsideProject, ExportError, OSError."""
        try:
            self._open()
        except BaseException:
            self.undo()
            raise
        return self

    def _open(self) -> None:
        pending = _inside(self._given, os.path.normpath(self.path), self.path)
        links = 0
        while True:
            done, link = self._walk(pending)
            if link is None:
                return
            # Directories made on the way to the link are not wanted: the path leads elsewhere.
            links += 1
            self.undo()
            where = os.path.join(self._root, *map(os.fsdecode, pending[:done]))
            if links > LINK_LIMIT:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), where)
            target = os.path.realpath(os.path.join(os.path.dirname(where), os.fsdecode(link)))
            reason = f"{where} is a link to {os.fsdecode(link)}"
            pending = [*_inside(self._root, target, self.path, reason), *pending[done:]]

    def _walk(self, parts: list[bytes]) -> tuple[int, bytes | None]:
        """Step through `parts` from the root. Returns the number of steps, and the target of the link that
        stopped it, if one did."""
        here = os.open(self._root, FLAGS)
        try:
            for count, name in enumerate(parts, 1):
                below = self._step(here, name, parts[:count])
                if isinstance(below, bytes):
                    return count, below
                os.close(here)
                here = below
            self.fd, self._parts, here = here, parts, -1
            return len(parts), None
        finally:
            if here >= 0:
                os.close(here)

    def _step(self, here: int, name: bytes, parts: list[bytes]) -> int | bytes:
        """Return the descriptor of a subdirectory, made if missing, or the target of the link in its
        place."""
        try:
            return os.open(name, FLAGS, dir_fd=here)
        except FileNotFoundError:
            try:
                os.mkdir(name, dir_fd=here)
            # Between open and mkdir; the open below then decides what it is.
            except FileExistsError:
                pass  # another export was faster
            else:
                self._made.append(list(parts))
            return os.open(name, FLAGS, dir_fd=here)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            try:
                return os.readlink(name, dir_fd=here)
            except OSError:
                where = os.path.join(self._root, *map(os.fsdecode, parts))
                raise ExportError(
                    f"{where} is not a directory, and an output is to lie in it",
                    help="remove it, or choose another destination",
                ) from None

    def undo(self) -> None:
        """Remove the directories that were made and are empty."""
        made, self._made = self._made, []
        # Children first. A directory that another process uses meanwhile is not empty, and stays.
        for parts in reversed(made):
            try:
                above = descend(os.open(self._root, FLAGS), parts[:-1])
                try:
                    os.rmdir(parts[-1], dir_fd=above)
                finally:
                    os.close(above)
            except OSError:
                return  # someone else has use for it

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.close(self.fd)
        if kind is not None:
            self.undo()


def descend(fd: int, names: Iterable[bytes]) -> int:
    """Return the descriptor of the directory that `names` lead to without following links; closes `fd`.
    Raises OSError."""
    try:
        for name in names:
            below = os.open(name, FLAGS, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def opened(fd: int, path: bytes) -> int:
    """Open the directory at the relative `path` below the one open at `fd` without following links. Raises
    OSError."""
    return descend(os.dup(fd), path.split(b"/") if path else ())


def _inside(root: str, path: str, dest: str, why: str = "") -> list[bytes]:
    """Return the components of a path below the root. Raises OutsideProject."""
    if path == root:
        return []
    prefix = root.rstrip("/") + "/"
    if not path.startswith(prefix):
        raise OutsideProject(dest, root, why)
    return os.fsencode(path.removeprefix(prefix)).split(b"/")
