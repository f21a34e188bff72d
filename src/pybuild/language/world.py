"""Facts from outside of the build file for an expansion: the project's repository, and the readable
directories."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError
from pybuild.language.worktree import RefusedRepository, ask, is_modified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.replay.dependencies import Dependencies

UNKNOWN = "unknown"


class Repository:
    """The repository that contains `directory`, read with the command line git. Without git, or outside of a
    repository, every answer is the one for that (language spec, section 10)."""

    def __init__(self, directory: str, dependencies: Dependencies) -> None:
        self._directory = directory
        self._dependencies = dependencies
        self._known: dict[str, str | bool | int] = {}
        self._placed = False

    def vcs(self, name: str) -> str | bool | int:
        """Return a member of `vcs`. Raises RefusedRepository, UnreadableWorkTree."""
        if name not in self._known:
            if not self._placed:
                self._placed = True
                self._depend()
            self._known[name] = _MEMBERS[name](self)
        return self._known[name]

    @property
    def origin(self) -> str:
        """The address of the remote `origin` in one form for all protocols; "" without one."""
        try:
            address = self._git("config", "--get", "remote.origin.url")
        except RefusedRepository:
            return ""
        if not address:
            return ""
        from pybuild.compiler.sources import git_remote

        try:
            _, host, path, _ = git_remote(address)
        except UserError:
            return address
        return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"

    def _git(self, *words: str) -> str:
        """Return the first line of git's output; "" if it fails. Raises RefusedRepository."""
        answer = ask(self._directory, *words) or b""
        return answer.decode("utf-8", "replace").partition("\n")[0]

    def _depend(self) -> None:
        """Note the files that answers depend on: HEAD, the ref that it names, and tags."""
        common = self._git("rev-parse", "--path-format=absolute", "--git-common-dir")
        own = self._git("rev-parse", "--path-format=absolute", "--git-dir")
        if not common or not own or os.path.isdir(os.path.join(common, "reftable")):
            self._dependencies.note(os.path.join(self._directory, ".git"))
            self._dependencies.replayable = False
            return
        head = self._git("symbolic-ref", "HEAD")
        for path in (
            os.path.join(own, "HEAD"),
            os.path.join(common, head),
            os.path.join(common, "packed-refs"),
        ):
            self._dependencies.note(path)
        for path, _, _ in os.walk(os.path.join(common, "refs", "tags")):
            self._dependencies.note_entries(path)

    def _commit(self) -> str:
        return self._git("rev-parse", "--verify", "HEAD") or UNKNOWN

    def _short(self) -> str:
        return self._git("rev-parse", "--short", "--verify", "HEAD") or UNKNOWN

    def _tag(self) -> str:
        return self._git("describe", "--tags", "--exact-match") or UNKNOWN

    def _branch(self) -> str:
        return self._git("symbolic-ref", "--short", "HEAD") or UNKNOWN

    def _describe(self) -> str:
        return self._git("describe", "--tags", "--always") or UNKNOWN

    def _dirty(self) -> bool:
        self._dependencies.replayable = False  # any file of the work tree decides
        return is_modified(self._directory)

    def _epoch(self) -> int:
        # `git log` may check signatures, with a program that the configuration names.
        commit = ask(self._directory, "cat-file", "commit", "HEAD") or b""
        for line in commit.partition(b"\n\n")[0].split(b"\n"):
            if line.startswith(b"committer "):
                seconds = line.rpartition(b"> ")[2].split(b" ")[0]
                return int(seconds) if seconds.isdigit() else 0
        return 0


_MEMBERS: dict[str, Callable[[Repository], str | bool | int]] = {
    "commit": Repository._commit,
    "short": Repository._short,
    "tag": Repository._tag,
    "branch": Repository._branch,
    "describe": Repository._describe,
    "dirty": Repository._dirty,
    "epoch": Repository._epoch,
}


class LocalWorld:
    """The outside world of an expansion (`lang.textual.expand.options.World`). `readable` holds the
    directories of `--allow read=PATH`."""

    __slots__ = ("_readable", "_repository")

    def __init__(self, repository: Repository, readable: Sequence[str]) -> None:
        self._repository = repository
        self._readable = tuple(os.path.realpath(path) for path in readable)

    def vcs(self, name: str) -> str | bool | int:
        return self._repository.vcs(name)

    def reading(self, more: Sequence[str]) -> LocalWorld:
        """Return the same world in which these directories may be read too."""
        return LocalWorld(self._repository, (*self._readable, *more))

    def may_read(self, path: str) -> bool:
        real = os.path.realpath(path)
        return any(
            real == directory or real.startswith(os.path.join(directory, "")) for directory in self._readable
        )
