"""Git repositories as sources: the files of a commit in a snapshot.

An op is parsed to a request (`gitrequest`) and resolved to a commit (`gitresolve`), which is fetched to a repository
in the store (`gitrepository`) and checked out (`gitcheckout`). `gitcommand` runs git, with the access of `gitaccess`.
"""

from __future__ import annotations

import os
import threading

from pybuild.compiler.hide_credentials import without_credentials
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
    """The repositories of one build. Thread-safe. Each ref is resolved once, so that all of a build sees one commit.

    `waiting` is called with the holder of a repository's lock before a fetch waits for that process.
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
        """Resolve an op to a commit, by a request to the remote unless the op has a whole commit hash. Raises
        UserError for an unknown ref and for another commit than the op's checksum, FetchError, Cancelled."""
        return self._resolve(GitRequest(op), cancellation)

    def key(self, op: SourceOp, cancellation: Cancellation) -> str:
        """Return the result's key, which does not depend on the remote unless `.git` is kept. Raises like
        `resolve`."""
        request = GitRequest(op)
        target = self._resolve(request, cancellation)
        parts = [GIT_SEMANTICS, target.commit, request.subdir, str(request.submodules)]
        parts.append("commit" if request.mtime == "commit" else "checkout")
        if request.keep and not request.subdir:
            parts += [target.checksum, target.ref, request.remote]
        return digest_of(*parts)

    def snapshot(self, op: SourceOp, cancellation: Cancellation, say: Say | None = None) -> int:
        """Return the snapshot with the files. `say` is called with git's messages. Raises like `resolve`."""

        def check_out(git: Git, repository: GitRepository, request: GitRequest, target: GitCommit) -> int:
            return self._check_out(git, repository, request, target, say)

        return self._in_repository(op, cancellation, check_out)

    def time(self, op: SourceOp, cancellation: Cancellation, say: Say | None = None) -> int:
        """Return the committer's time of the commit as Unix time. Raises like `resolve`."""
        from pybuild.runtime.sources.gitcheckout import commit_time

        def read(git: Git, repository: GitRepository, request: GitRequest, target: GitCommit) -> int:
            commit = repository.bring(target, say)
            check(request, GitCommit(target.ref, target.checksum, commit))
            return commit_time(git, repository, commit)

        return self._in_repository(op, cancellation, read)

    def objects(
        self, op: SourceOp, cancellation: Cancellation, say: Say | None = None
    ) -> tuple[bytes, bytes]:
        """Return the commit object and the annotated tag object of the ref, b"" without one. Raises like
        `resolve`."""

        def read(
            git: Git, repository: GitRepository, request: GitRequest, target: GitCommit
        ) -> tuple[bytes, bytes]:
            commit = repository.bring(target, say)
            check(request, GitCommit(target.ref, target.checksum, commit))
            tag = repository.object("tag", target.checksum) if commit != target.checksum else b""
            return repository.object("commit", commit), tag

        return self._in_repository(op, cancellation, read)

    def _in_repository(self, op: SourceOp, cancellation: Cancellation, work: Work[T]) -> T:
        """Call `work` with the store's repository, locked. A damaged repository is replaced, and `work` called
        again."""
        request = GitRequest(op)
        target = self._resolve(request, cancellation)
        git = self._git(request, cancellation)
        repository = GitRepository(self._store.path("git"), request.remote, target.checksum, git)
        lock = self._store.lock(
            "git-" + os.path.basename(repository.path), on_wait=self._waiting, cancelled=cancellation
        )
        if lock is None:
            raise Cancelled
        name = os.path.basename(repository.path)
        description = f"shared git repo for {without_credentials(request.remote)}"
        note_use(self._store, f"git/{name}", f"locks/git-{name}", REGULAR, description)
        try:
            return work(git, repository, request, target)
        except GitFailed as error:
            # A loss of power may damage what git does not sync, such as refs.
            if not is_damage(error):
                raise
            repository.discard()
            return work(git, repository, request, target)
        finally:
            lock.remove()

    def _check_out(
        self, git: Git, repository: GitRepository, request: GitRequest, target: GitCommit, say: Say | None
    ) -> int:
        from pybuild.runtime.snapshots.removal import remove_tree
        from pybuild.runtime.sources.gitcheckout import checkout

        commit = repository.bring(target, say)
        check(request, GitCommit(target.ref, target.checksum, commit))
        work = os.path.join(self._store.work, os.urandom(8).hex())
        os.mkdir(work, 0o755)
        active = self._snapshotter.prepare(None)
        try:
            checkout(git, repository, request, target, commit, os.fsdecode(active.upper), work)
            snapshot = active.commit()
        except BaseException:
            active.abort()
            raise
        finally:
            remove_tree(work)
        self._store.lease("snapshot", str(snapshot))
        return snapshot

    def _resolve(self, request: GitRequest, cancellation: Cancellation) -> GitCommit:
        target = known_commit(request)
        if target is None:
            name = (request.remote, request.user, request.password, request.ref)
            target = self._resolved.get(name)
            if target is None:
                resolved = resolve(request, self._git(request, cancellation))
                with self._guard:
                    target = self._resolved.setdefault(name, resolved)
            check(request, target)
        elif request.checksum and not target.ref.startswith(request.checksum):
            check(request, target)
        return target

    def _git(self, request: GitRequest, cancellation: Cancellation) -> Git:
        from pybuild.runtime.sources.gitaccess import git_for

        return git_for(request, self._store, self._secrets, self._agents, cancellation)
