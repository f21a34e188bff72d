"""Git repositories as sources: a commit's files in a snapshot.

op -> request (`gitrequest`) -> commit (`gitresolve`) -> the store's repository has it (`gitrepository`) -> files
(`gitcheckout`). git itself is run as `gitcommand` says, let in as `gitaccess` says.
"""

from __future__ import annotations

import os
import threading

from pybuild.compiler.credentials import without_credentials
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.cache.records import digest_of
from pybuild.runtime.content.directories import note_use
from pybuild.runtime.content.labels import REGULAR
from pybuild.runtime.sources.gitcommand import GitFailed
from pybuild.runtime.sources.gitrepository import GitRepository, is_damage
from pybuild.runtime.sources.gitrequest import GitRequest
from pybuild.runtime.sources.gitresolve import GitCommit, check, known_commit, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pybuild.compiler.ops import SourceOp
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.snapshots.types import Snapshotter
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.gitcommand import Git

    Say = Callable[[bytes], None]
    T = TypeVar("T")
    Work = Callable[[Git, GitRepository, GitRequest, GitCommit], T]

GIT_SEMANTICS = "git 1"


class GitSource:
    """Repositories, each ref resolved once a build: all of a build sees the same commit. Thread-safe.

    `waiting` is told whom a fetch in another process waits for.
    """

    def __init__(
        self,
        store: Store,
        snapshotter: Snapshotter,
        secrets: Secrets,
        agents: Agents,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._snapshotter = snapshotter
        self._secrets = secrets
        self._agents = agents
        self._waiting = waiting
        self._resolved: dict[tuple[str, ...], GitCommit] = {}
        self._guard = threading.Lock()

    def resolve(self, op: SourceOp, cancellation: Cancellation) -> GitCommit:
        """The commit that an op stands for. The remote is asked, unless the op names a whole commit hash. Raises
        UserError: no such ref, another commit than the op's checksum says; FetchError, Cancelled."""
        return self._resolve(GitRequest(op), cancellation)

    def key(self, op: SourceOp, cancellation: Cancellation) -> str:
        """Identity of the result: the same commit of another remote is the same. Raises as `resolve`."""
        request = GitRequest(op)
        found = self._resolve(request, cancellation)
        parts = [GIT_SEMANTICS, found.commit, request.subdir, str(request.submodules)]
        parts.append("commit" if request.mtime == "commit" else "checkout")
        if request.keep and not request.subdir:
            parts += [found.checksum, found.ref, request.remote]
        return digest_of(*parts)

    def snapshot(self, op: SourceOp, cancellation: Cancellation, say: Say | None = None) -> int:
        """The snapshot with the files. `say` hears what git says. Raises as `resolve`."""

        def made(git: Git, repository: GitRepository, request: GitRequest, found: GitCommit) -> int:
            return self._made(git, repository, request, found, say)

        return self._in_repository(op, cancellation, made)

    def time(self, op: SourceOp, cancellation: Cancellation, say: Say | None = None) -> int:
        """The committer's time of the commit, in seconds since 1970. Raises as `resolve`."""
        from pybuild.runtime.sources.gitcheckout import commit_time

        def read(git: Git, repository: GitRepository, request: GitRequest, found: GitCommit) -> int:
            commit = repository.bring(found, say)
            check(request, GitCommit(found.ref, found.checksum, commit))
            return commit_time(git, repository, commit)

        return self._in_repository(op, cancellation, read)

    def objects(
        self, op: SourceOp, cancellation: Cancellation, say: Say | None = None
    ) -> tuple[bytes, bytes]:
        """The commit as git stores it, and the annotated tag that leads to it, empty where none does. Raises as
        `resolve`."""

        def read(
            git: Git, repository: GitRepository, request: GitRequest, found: GitCommit
        ) -> tuple[bytes, bytes]:
            commit = repository.bring(found, say)
            check(request, GitCommit(found.ref, found.checksum, commit))
            tag = repository.object("tag", found.checksum) if commit != found.checksum else b""
            return repository.object("commit", commit), tag

        return self._in_repository(op, cancellation, read)

    def _in_repository(self, op: SourceOp, cancellation: Cancellation, work: Work[T]) -> T:
        """What `work` finds in the store's repository, locked; once more in a fresh one where that was damaged."""
        request = GitRequest(op)
        found = self._resolve(request, cancellation)
        git = self._git(request, cancellation)
        repository = GitRepository(self._store.path("git"), request.remote, found.checksum, git)
        lock = self._store.lock(
            "git-" + os.path.basename(repository.path), on_wait=self._waiting, cancelled=cancellation
        )
        if lock is None:
            raise Cancelled
        name = os.path.basename(repository.path)
        description = f"shared git repo for {without_credentials(request.remote)}"
        note_use(self._store, f"git/{name}", f"locks/git-{name}", REGULAR, description)
        try:
            return work(git, repository, request, found)
        except GitFailed as error:
            if not is_damage(error):
                raise
            repository.discard()
            return work(git, repository, request, found)
        finally:
            lock.remove()

    def _made(
        self, git: Git, repository: GitRepository, request: GitRequest, found: GitCommit, say: Say | None
    ) -> int:
        from pybuild.runtime.snapshots.removal import remove_tree
        from pybuild.runtime.sources.gitcheckout import checkout

        commit = repository.bring(found, say)
        check(request, GitCommit(found.ref, found.checksum, commit))
        work = os.path.join(self._store.work, os.urandom(8).hex())
        os.mkdir(work, 0o755)
        active = self._snapshotter.prepare(None)
        try:
            checkout(git, repository, request, found, commit, os.fsdecode(active.upper), work)
            snapshot = active.commit()
        except BaseException:
            active.abort()
            raise
        finally:
            remove_tree(work)
        self._store.lease("snapshot", str(snapshot))
        return snapshot

    def _resolve(self, request: GitRequest, cancellation: Cancellation) -> GitCommit:
        found = known_commit(request)
        if found is None:
            name = (request.remote, request.user, request.password, request.ref)
            found = self._resolved.get(name)
            if found is None:
                asked = resolve(request, self._git(request, cancellation))
                with self._guard:
                    found = self._resolved.setdefault(name, asked)
            check(request, found)
        elif request.checksum and not found.ref.startswith(request.checksum):
            check(request, found)
        return found

    def _git(self, request: GitRequest, cancellation: Cancellation) -> Git:
        from pybuild.runtime.sources.gitaccess import git_for

        return git_for(request, self._store, self._secrets, self._agents, cancellation)
