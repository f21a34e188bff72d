"""A directory's project: the root of its repository, and what counts of the directories above it.

A directory that the user names counts whoever owns it and whatever its mode. What is found *above* it (the `.git`
that makes a directory a repository's root, a `pybuild.toml`, a module) counts only up to that root, and only if the
file and the directory that holds it belong to the owner of the named directory, to the user or to root, and neither
can be written by everyone unless the named directory can. Anything else was perhaps left there by another user.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UsageError
from pybuild.runtime.content.place import UID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

GIT: Final = ".git"
_FOR_EVERYONE: Final = 0o002


class Project:
    """The project of a named directory: the top of its repository, outside of one the directory itself.

    `directory` and `root` are real paths. `above` are the directories from the parent of `directory` up to `root`,
    nearest first. Two lists grow while files are looked for: `consulted`, the absolute paths whose state decides, and
    `skipped`, a line for each file that doesn't count.
    """

    __slots__ = ("_everyones", "_owners", "consulted", "directory", "in_repository", "root", "skipped")

    def __init__(self, directory: str) -> None:
        self.directory = os.path.realpath(directory)
        self.consulted: list[str] = []
        self.skipped: list[str] = []
        self._owners = trusted_users()
        self._everyones = False
        try:
            status = os.stat(self.directory)
            self._owners |= {status.st_uid}
            self._everyones = bool(status.st_mode & _FOR_EVERYONE)
        except OSError:
            pass  # not there: whoever reads it says so
        top = self._top()
        self.in_repository = top is not None
        self.root = self.directory if top is None else top

    @property
    def above(self) -> list[str]:
        directories = []
        directory = self.directory
        while directory != self.root:
            directory = os.path.dirname(directory)
            directories.append(directory)
        return directories

    def holds(self, path: str) -> bool:
        """Report whether an absolute path stays in the project, by its name and after all links."""
        return within(os.path.normpath(path), self.root) and within(os.path.realpath(path), self.root)

    def counts(self, path: str) -> bool:
        """Report whether a file that is there counts; one in the named directory always does. If not, `skipped` says
        why. `path` is a real path, except for its last component."""
        if within(path, self.directory):
            return True
        reason = self.objection(path)
        if reason:
            self.skipped.append(f"{path} doesn't count: {reason}")
        return not reason

    def objection(self, path: str) -> str:
        """Return why a file, wherever it lies, may have been left there by another user; "" if it can't."""
        # The owner of a directory is part of its state only where it decides something.
        self.consulted += [self.directory, os.path.dirname(path), path]
        return self._objection(os.path.dirname(path), "its directory ") or self._objection(path, "it ")

    def _objection(self, path: str, what: str) -> str:
        try:
            link, status = os.lstat(path), os.stat(path)
        except OSError as error:
            return f"{what}can't be looked at ({error.strerror})"
        for owner in (link.st_uid, status.st_uid):
            if owner not in self._owners:
                return f"{what}belongs to user {owner}"
        if status.st_mode & _FOR_EVERYONE and not self._everyones:
            return f"{what}can be written by everyone"
        return ""

    def _top(self) -> str | None:
        """Return the nearest directory with a `.git` that counts, None without one."""
        directory = self.directory
        while True:
            mark = os.path.join(directory, GIT)
            self.consulted.append(mark)
            if os.path.exists(mark) and self.counts(mark):
                return directory
            parent = os.path.dirname(directory)
            if parent == directory:
                return None
            directory = parent


def is_here(directory: str) -> bool:
    """Report whether a directory is the current one or lies in the same repository.

    A nested repository is another one. Outside of a repository only the current directory itself is meant, and also
    in one whose `.git` may be another user's: then everything beneath, too, may have been left there.
    """
    here, there = Project(os.getcwd()), os.path.realpath(directory)
    if there == here.directory:
        return True
    if not here.in_repository or here.objection(os.path.join(here.root, GIT)):
        return False
    while within(there, here.root) and there != here.root:
        if os.path.lexists(os.path.join(there, GIT)):
            return False
        there = os.path.dirname(there)
    return there == here.root


def refuse_link_out(path: str) -> None:
    """Raise UsageError if a file that is to be written is a link that leaves the project of its directory."""
    if not os.path.islink(path):
        return
    project, real = Project(os.path.dirname(os.path.abspath(path))), os.path.realpath(path)
    if not within(real, project.root):
        raise UsageError(
            f"{path} isn't written: it is a link to {real}, outside of the project {project.root}",
            help="name the file itself, or replace the link by a file",
        )


def shown(path: str) -> str:
    """Return an absolute path as the user would write it in the working directory."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.path.join("..", "..")) else relative


def within(path: str, directory: str) -> bool:
    """Report whether a path is a directory or lies below it, going by names alone."""
    return path == directory or path.startswith(os.path.join(directory, ""))


def trusted_users() -> set[int]:
    """Return the ids of root, of the user, and under sudo of the user who called it."""
    caller = os.environ.get("SUDO_UID", "")
    # Anyone can set the variable, but only for root does it widen anything.
    return {0, UID, *([int(caller)] if UID == 0 and caller.isascii() and caller.isdecimal() else [])}
