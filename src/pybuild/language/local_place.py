"""A module's directory on this machine, as files of the language see it."""

from __future__ import annotations

import os
import stat

from pybuild.lang import recipe
from pybuild.lang.diagnostics import UserError
from pybuild.lang.dockerfile.ignore import read_patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybuild.replay.dependencies import Dependencies

LARGEST_FILE = 16 << 20
"""Maximum size in bytes of a file that a build file may read."""

IGNORE = ".dockerignore"
_MOST_STEPS = 1000
"""Maximum number of components of a path that are followed, those of links in it included."""


def kind_of(mode: int) -> str:
    """Return the kind that `Place.kind` gives a file of this mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


def read_ignores(read: Callable[[str], bytes]) -> tuple[str, ...]:
    """Return the patterns of a directory's ignore file; `read` reads its files. Raises as `Place.read`."""
    try:
        text = read(IGNORE).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        text = ""
    return tuple(read_patterns(text, IGNORE)) if text else ()


class LocalPlace:
    """A directory as a module sees it (`lang.textual.modules.Place`); `name` is the name of its context in
    the graph. Links are followed inside of it; a path that leads out of it does not exist."""

    __slots__ = ("_dependencies", "_ignores", "_real", "directory", "name")

    def __init__(self, directory: str, name: str, dependencies: Dependencies) -> None:
        """`directory` is absolute."""
        self.directory = directory
        self.name = name
        self._real = os.path.realpath(directory)
        self._dependencies = dependencies
        self._ignores: tuple[str, ...] | None = None

    def state(self, ignore: tuple[str, ...]) -> recipe.State:
        return recipe.Directory(None, self.directory, self.name, (*self.ignores(), *ignore))

    def ignores(self) -> tuple[str, ...]:
        if self._ignores is None:
            self._ignores = read_ignores(self.read)
        return self._ignores

    def kind(self, path: str) -> str | None:
        full = self._inside(path)
        if full is None:
            return None
        if os.path.dirname(full) not in self._dependencies.parts:  # whose entries' kinds are noted
            self._dependencies.note(full)
        try:
            mode = os.lstat(full).st_mode
        except (OSError, ValueError):
            return None
        return kind_of(mode)

    def names(self, path: str) -> list[str]:
        full = self._inside(path)
        if full is None:
            return []
        self._dependencies.note_names(full)
        try:
            return sorted(os.listdir(full), key=os.fsencode)
        except OSError:
            return []

    def read(self, path: str) -> bytes:
        full = self._inside(path)
        if full is None:
            raise FileNotFoundError(path)
        self._dependencies.note(full)
        real = os.path.realpath(full)
        if not self._holds(real):
            raise FileNotFoundError(path)
        self._dependencies.note(real)
        try:
            # Opening a named pipe would wait for its writer.
            with open(real, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise FileNotFoundError(path)
                data = file.read(LARGEST_FILE + 1)
        except NotADirectoryError:
            raise FileNotFoundError(path) from None
        if len(data) > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 20} MiB", help="read it in a `run` step")
        return data

    def absolute(self, path: str) -> str | None:
        full = os.path.normpath(os.path.join(self.directory, path))
        real = os.path.realpath(full)
        if real != os.path.normpath(os.path.join(self._real, path)):
            self._walked(os.path.normpath(path))
        return full if self._holds(real) else real

    def _inside(self, path: str) -> str | None:
        """Resolve a path, except for its last component; None if it leads outside."""
        if "\0" in path:
            return None
        normal = os.path.normpath(path)
        above, last = os.path.split(os.path.join(self._real, normal))
        real = os.path.realpath(above) if normal != "." else self._real
        if real != above and normal != ".":
            self._walked(os.path.dirname(normal))
        full = os.path.join(real, last) if normal != "." else real
        return full if self._holds(full) else None

    def _walked(self, path: str) -> None:
        """Note the symlinks that a path leads through, those in the targets of others too."""
        pending = path.split("/")[::-1]
        here = self._real
        for _ in range(_MOST_STEPS):
            if not pending:
                return
            here = os.path.normpath(os.path.join(here, pending.pop()))
            if os.path.islink(here):
                self._dependencies.note_link(here)
                target = os.readlink(here)
                pending += reversed(target.split("/"))
                here = "/" if target.startswith("/") else os.path.dirname(here)
        self._dependencies.replayable = False

    def _holds(self, path: str) -> bool:
        return path == self._real or path.startswith(os.path.join(self._real, ""))
