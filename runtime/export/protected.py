"""Files of projects that no output may write: what git runs or obeys, and what later builds run or obey."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

_GIT: Final = ".git"
_NAMES: Final = frozenset(("pybuild.toml", "pybuild.lock", "build.py"))
_POINTER: Final = "gitdir:"
_LONGEST: Final = 4096


class ProtectedPath(UserError):
    """An output would write `path`, which is protected."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(
            f"no output may write {path}: {why}",
            help="write to another place, and move the files yourself if you trust them",
        )


class ProtectedFiles:
    """The protected files of the projects `roots`: in any directory of them each path with a part `.git` and each
    `pybuild.toml`, `pybuild.lock` and `build.py`, in any case; the repositories that their `.git` files name; and
    `code`, the build file and its modules. Immutable."""

    __slots__ = ("_code", "_repositories", "_roots")

    def __init__(self, roots: Iterable[str], code: Iterable[str]) -> None:
        self._roots = tuple(dict.fromkeys(os.path.realpath(root) for root in roots))
        self._code = frozenset(_real_paths(code))
        self._repositories = tuple(target for root in self._roots for target in _repositories(root))

    def refuse(self, path: str) -> None:
        """Raise ProtectedPath if a path is protected; `path` is a real path, except for its last component."""
        if path in self._code:
            raise ProtectedPath(path, "the build reads it as its own code")
        for root in self._roots:
            if _within(path, root):
                parts = path[len(root) :].lower().split("/")
                if _GIT in parts:
                    raise ProtectedPath(path, "git runs what a repository's directory names")
                if parts[-1] in _NAMES:
                    raise ProtectedPath(path, "later builds obey it")
        for repository in self._repositories:
            if _within(path, repository):
                raise ProtectedPath(path, f"it lies in the repository {repository}")

    def refuse_file(self, path: str) -> None:
        """Raise ProtectedPath if a path is protected, by its name or after all links."""
        self.refuse(real_place(path))
        self.refuse(os.path.realpath(path))


def real_place(path: str) -> str:
    """Return a path with the links of its directory followed, but not its own."""
    directory, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(directory), name)


def _real_paths(paths: Iterable[str]) -> Iterator[str]:
    """Yield the real place of each path, and what it leads to if it is a link. A build names the files of all modules
    that it has imported, of which most share their directories: each directory is resolved once."""
    directories: dict[str, str] = {}
    for path in paths:
        directory, name = os.path.split(path)
        real = directories.get(directory)
        if real is None:
            real = directories[directory] = os.path.realpath(directory)
        place = os.path.join(real, name)
        yield place
        if os.path.islink(place):
            yield os.path.realpath(place)


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(os.path.join(directory, ""))


def _repositories(root: str) -> list[str]:
    """Return the directories that a `.git` file (of a linked work tree, of a submodule) or a link names."""
    mark = os.path.join(root, _GIT)
    if os.path.isdir(mark):
        return [os.path.realpath(mark)]
    text = _first_line(mark)
    if not text.startswith(_POINTER):
        return []
    own = os.path.realpath(os.path.join(root, text.removeprefix(_POINTER).strip()))
    common = _first_line(os.path.join(own, "commondir"))
    return [own, os.path.realpath(os.path.join(own, common))] if common else [own]


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read(_LONGEST).partition(b"\n")[0])
    except OSError:
        return ""
