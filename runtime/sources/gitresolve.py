"""Resolves a ref to a commit, by listing the remote's refs (`git ls-remote`).

As in BuildKit's source/git, an exact `refs/…` comes before a branch, and that before a tag.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.sources.errors import SourceFailed, SourceMismatch
from pybuild.runtime.sources.gitcommand import GitFailed
from pybuild.runtime.sources.gitrepository import fetch_failed
from pybuild.runtime.sources.gitrequest import COMMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.sources.gitcommand import Git
    from pybuild.runtime.sources.gitrequest import GitRequest


class GitCommit:
    """A resolved ref. `ref` is its full name (`refs/heads/main`), or the hash if the op has one; `checksum` is the
    hash that the remote lists for it; `commit` is the commit's hash, which differs for a known annotated tag."""

    __slots__ = ("checksum", "commit", "ref")

    def __init__(self, ref: str, checksum: str, commit: str = "") -> None:
        self.ref = ref
        self.checksum = checksum
        self.commit = commit or checksum


def known_commit(request: GitRequest) -> GitCommit | None:
    """Return the commit of an op that has its whole hash, else None. Needs no remote."""
    if request.by_commit and COMMIT.fullmatch(request.checksum):
        return GitCommit(request.checksum, request.checksum)
    if COMMIT.fullmatch(request.ref):
        return GitCommit(request.ref, request.ref)
    return None


def pinned(identifier: str) -> bool:
    """Report whether a git source's identifier (`git://HOST/PATH#REF:SUBDIR`) has a whole commit hash."""
    return COMMIT.fullmatch(identifier.partition("#")[2].partition(":")[0]) is not None


def resolve(request: GitRequest, git: Git) -> GitCommit:
    """Resolve a ref at the remote. Raises SourceFailed for an unknown ref, FetchError for an unreachable remote."""
    ref = "" if request.ref == "HEAD" else request.ref
    patterns = [ref, ref + "^{}"] if ref else ["HEAD"]
    try:
        out, _ = git.run("ls-remote", "--symref", "--", request.remote, *patterns, network=True)
    except GitFailed as error:
        raise fetch_failed(request.remote, error) from None
    text = out.decode("utf-8", "surrogateescape")
    return _chosen(request, ref, text) if ref else _default(request, text)


def _default(request: GitRequest, listed: str) -> GitCommit:
    """Return the default branch. Its name is `HEAD` if the remote lists a commit only, as old servers do."""
    branch, commit = "HEAD", ""
    for line in listed.splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/"):
            branch = value.removeprefix("ref: ").strip()
        elif name == "HEAD" and COMMIT.fullmatch(value):
            commit = value
    if not commit:
        raise SourceFailed(
            f"could not find default branch for repository: {request.remote}",
            help="is the repository empty? else name a branch or a tag behind a #",
        )
    return GitCommit(branch, commit)


def _chosen(request: GitRequest, ref: str, listed: str) -> GitCommit:
    hashes = {}
    for line in listed.splitlines():
        value, _, name = line.partition("\t")
        if COMMIT.fullmatch(value):
            hashes[name] = value
    tag = "refs/tags/" + ref.removeprefix("refs/tags/")
    names = ("refs/" + ref.removeprefix("refs/"), "refs/heads/" + ref.removeprefix("refs/heads/"), tag)
    used = next((name for name in names if name in hashes), None)
    if used is None:
        raise SourceFailed(
            Diagnostic(f"repository does not contain ref {ref}", notes=[("repository", request.remote)]),
            help="check the name of the branch or tag; a commit is named by its whole hash",
        )
    return GitCommit(used, hashes[used], hashes.get(used + "^{}", ""))


def check(request: GitRequest, found: GitCommit) -> None:
    """Raise SourceMismatch if the op's checksum, which may be abbreviated, is neither that of the ref nor that of its
    commit."""
    if not request.checksum or request.checksum in (found.checksum, found.commit):
        return
    if found.checksum.startswith(request.checksum) or found.commit.startswith(request.checksum):
        return
    got = found.checksum if found.commit == found.checksum else f"{found.checksum} or {found.commit}"
    raise SourceMismatch(
        Diagnostic(
            f"expected checksum to match {request.checksum}, got {got}",
            notes=[("repository", request.remote)],
        ),
        help=f"{request.ref or 'the default branch'} is at another commit than the one that was meant",
    )
