"""Bare git repositories in the store, one for each remote, with the commits that builds requested.

    git/NAME.git        NAME is a digest of the remote; with -sha256 for repositories of that object format

Only the process that holds a repository's lock writes to it, so git's own lock files in it are left over from dead
processes. No object is ever deleted: a commit that exists has all its files.
"""

from __future__ import annotations

import os
import re
from hashlib import sha256

from pybuild.lang.diagnostics import Diagnostic
from pybuild.runtime.sources.errors import SourceFailed, SourceMismatch, SourceTimedOut
from pybuild.runtime.sources.gitcommand import GitFailed
from pybuild.runtime.sources.gitrequest import COMMIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.runtime.sources.gitcommand import Git
    from pybuild.runtime.sources.gitresolve import GitCommit

    Say = Callable[[bytes], None]

_NOT_SHALLOW = re.compile(r"shallow|--depth", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|no such remote ref|remote error: want",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"not a git repository|bad object|corrupt|unable to read (sha1|tree|[0-9a-f]{40})|"
    r"did not send all necessary objects|missing (blob|tree|commit)|loose object|"
    r"error: (index file|packfile|inflate|object file|unable to unpack)",
    re.IGNORECASE,
)

_SILENCE = re.compile(r"timed out|Operation too slow", re.IGNORECASE)
"""Messages of git, curl and ssh for a remote that stopped sending."""


class FetchError(SourceFailed):
    """A remote is unreachable, denies access, or lacks the requested object."""


class FetchTimedOut(FetchError, SourceTimedOut):
    """A remote sent nothing for too long."""


class CommitNotFound(FetchError, SourceMismatch):
    """A remote lacks the commit that the op requires."""


class GitRepository:
    """The store's repository for a remote. The caller holds its lock."""

    __slots__ = ("_git", "format", "path", "remote")

    def __init__(self, directory: str, remote: str, commit: str, git: Git) -> None:
        """`commit` is any hash of the remote, whose length tells the object format."""
        self.format = "sha256" if len(commit) == 64 else "sha1"
        self.path = os.path.join(directory, repository_name(remote, self.format))
        self.remote = remote
        self._git = git

    def bring(self, target: GitCommit, say: Say | None = None) -> str:
        """Fetch a commit unless it is there, and return its hash, which differs from the checksum of an annotated
        tag. Raises FetchError, GitFailed, Cancelled."""
        self._open()
        if not self.has(target.checksum):
            self._fetch(target, say)
        return self.commit_of(target.checksum)

    def discard(self) -> None:
        """Delete a damaged repository."""
        from pybuild.runtime.snapshots.removal import remove_tree

        remove_tree(self.path)

    def commit_of(self, object: str) -> str:
        """Return the hash of the commit that a commit or a tag leads to. Raises GitFailed."""
        return self._run_text("rev-parse", "--verify", "--quiet", object + "^{commit}")

    def object(self, kind: str, object: str) -> bytes:
        """Return the content of a commit or a tag object. Raises GitFailed."""
        return self._git.run("--git-dir", self.path, "cat-file", kind, object)[0]

    def has(self, object: str) -> bool:
        """Report whether there is a commit, or a tag with its commit."""
        try:
            self._run_text("cat-file", "-e", object + "^{commit}")
        except GitFailed as error:
            if is_damage(error) and "bad object" not in error.said:
                raise
            return False
        return True

    def _fetch(self, target: GitCommit, say: Say | None) -> None:
        for options, specs in self._ways(target):
            try:
                self._try(options, specs, say)
            except GitFailed as error:
                if is_damage(error):
                    raise
                if not _NOT_THERE.search(error.said):
                    raise fetch_failed(self.remote, error) from None
            if self.has(target.checksum):
                return
        raise CommitNotFound(
            f"fetched ref {target.ref} does not match expected commit {target.checksum} and commit can not be found "
            "in the repository",
            help=f"is the commit on a branch or a tag of {self.remote}?",
        )

    def _ways(self, target: GitCommit) -> Iterator[tuple[list[str], list[str]]]:
        """Yield options and refspecs for one fetch after the other: of the ref; of the hash, which some servers
        refuse; of all branches and tags."""
        if not COMMIT.fullmatch(target.ref):
            name = sha256(target.ref.encode("utf-8", "surrogateescape")).hexdigest()[:24]
            yield ["--depth=1"], [f"+{target.ref}:refs/fetched/{name}"]
        yield ["--depth=1"], [f"+{target.checksum}:refs/fetched/{target.checksum}"]
        everything = ["+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"]
        yield (["--unshallow"] if os.path.exists(os.path.join(self.path, "shallow")) else []), everything

    def _try(self, options: list[str], specs: list[str], say: Say | None) -> None:
        """Fetch; with the whole history if the server can't send part of one."""
        try:
            self._fetch_once(options, specs, say)
        except GitFailed as error:
            if not options or not _NOT_SHALLOW.search(error.said):
                raise
            self._fetch_once([], specs, say)

    def _fetch_once(self, options: list[str], specs: list[str], say: Say | None) -> None:
        _, messages = self._git.run(
            "--git-dir",
            self.path,
            "fetch",
            "--no-tags",
            "--no-write-fetch-head",
            "--prune" if len(specs) > 1 else "--force",
            *options,
            "--",
            "origin",
            *specs,
            network=True,
        )
        if say is not None and messages.strip():
            say(messages)

    def _open(self) -> None:
        """Create the repository if it is missing, and remove the leftovers of killed processes."""
        if not os.path.isfile(os.path.join(self.path, "HEAD")):
            from pybuild.runtime.snapshots.removal import remove_tree

            remove_tree(self.path)
            # Renamed when complete: a HEAD tells that the repository is usable.
            temporary = f"{self.path}.{os.urandom(6).hex()}"
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            make_repository(temporary, self.format, remote=self.remote)
            os.rename(temporary, self.path)
            return
        for name in _locks(self.path):
            os.unlink(name)

    def _run_text(self, *arguments: str) -> str:
        return self._git.text("--git-dir", self.path, *arguments)


def is_damage(error: GitFailed) -> bool:
    """Report whether git target the store's repository damaged, as after a loss of power."""
    return _BROKEN.search(error.said) is not None


def repository_name(remote: str, format: str) -> str:
    """Return the name of a remote's repository, which is safe as a file name."""
    end = "" if format == "sha1" else "-" + format
    return sha256(remote.encode("utf-8", "surrogateescape")).hexdigest()[:40] + end + ".git"


def make_repository(path: str, format: str, *, remote: str, bare: bool = True, head: str = "") -> None:
    """Create an empty repository, the same for all versions of git. `head` is the commit to check out."""
    for directory in ("", "objects/info", "objects/pack", "refs/heads", "refs/tags"):
        make_directories(os.path.join(path, directory))
    lines = ["[core]", f"\trepositoryformatversion = {int(format != 'sha1')}", "\tfilemode = true"]
    lines += [f"\tbare = {'true' if bare else 'false'}"]
    lines += [] if bare else ["\tlogallrefupdates = true"]
    lines += [] if format == "sha1" else ["[extensions]", f"\tobjectformat = {format}"]
    lines += ['[remote "origin"]', f"\turl = {quoted(remote)}"]
    lines += [] if bare else ["\tfetch = +refs/heads/*:refs/remotes/origin/*"]
    write_file(os.path.join(path, "config"), "\n".join(lines) + "\n")
    write_file(os.path.join(path, "HEAD"), (head or "ref: refs/heads/master") + "\n")


def quoted(value: str) -> str:
    """Quote a value for git's configuration files."""
    if re.fullmatch(r"[A-Za-z0-9_./:@~+=,%$&'()*!?-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def write_file(path: str, text: str) -> None:
    """Write a file of mode 0644, whatever the umask."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)


def make_directories(path: str) -> None:
    """Create a directory of mode 0755 and those above it, whatever the umask."""
    path = path.rstrip("/")
    if not os.path.isdir(path):
        make_directories(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)


def _locks(path: str) -> Iterator[str]:
    """Yield lock files and half-written packs."""
    for here, directories, files in os.walk(path):
        if here == os.path.join(path, "objects"):
            directories[:] = ["pack"]
        for name in files:
            if name.endswith(".lock") or name.startswith("tmp_"):
                yield os.path.join(here, name)


def fetch_failed(remote: str, error: GitFailed) -> FetchError:
    """Return the error for a failed fetch, with advice for git's message."""
    said = error.said
    host = re.sub(r"^[a-z]+://|[/:].*$", "", remote.rpartition("@")[2] if "://" not in remote else remote)
    if re.search("Host key verification failed|host key is known", said):
        help = "the server's host key is none of those that are known for it"
    elif re.search("Permission denied|publickey", said):
        help = "give an SSH agent or key that may read it: --ssh default"
    elif re.search("Authentication failed|could not read (Username|Password)|error: 40[13]", said):
        help = "give a token that may read it: --secret id=GIT_AUTH_TOKEN,env=GIT_AUTH_TOKEN"
    elif re.search("error: 30[1278]", said):
        help = "the server redirects, and no secret is sent elsewhere: write the address that it redirects to"
    elif re.search("Could not resolve|Temporary failure in name resolution", said):
        help = f"check the name {host} and the network (DNS)"
    elif re.search("cannot run ssh|ssh: No such file", said):
        help = "ssh is not installed: it is needed for this address"
    elif re.search("not found|does not exist|does not appear to be", said):
        help = "check the address; a server may answer so to who may not read the repository"
    else:
        help = "check the address and the network"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    kind = FetchTimedOut if _SILENCE.search(said) else FetchError
    title, output = f"failed to fetch remote {remote}", "\n".join(lines[-8:])
    diagnostic = Diagnostic(title, notes=[("git", output)] if output else [])
    return kind(diagnostic.known_as(f"{title}: git stderr:\n{output}: exit status {error.code}"), help=help)
