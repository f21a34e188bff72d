"""The store's repositories, one a remote: bare, shared by all builds, holding the commits that were asked for.

    git/NAME.git        NAME is a digest of the remote; with -sha256 for repositories of that object format

Only the process that holds the repository's lock writes in it, so lock files of git found there are those of dead
processes. Nothing in it is ever deleted: a commit that is there is there with all its files.
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
"""How git, curl and ssh say that nothing came any more."""


class FetchError(SourceFailed):
    """A remote can't be reached, lets nobody in, or has not what was asked for."""


class FetchTimedOut(FetchError, SourceTimedOut):
    """A remote was silent for too long."""


class CommitNotFound(FetchError, SourceMismatch):
    """A remote does not have the commit that its ref is to be at."""


class GitRepository:
    """The store's repository for a remote. The caller holds its lock."""

    __slots__ = ("_git", "format", "path", "remote")

    def __init__(self, directory: str, remote: str, commit: str, git: Git) -> None:
        """`commit` tells the object format."""
        self.format = "sha256" if len(commit) == 64 else "sha1"
        self.path = os.path.join(directory, repository_name(remote, self.format))
        self.remote = remote
        self._git = git

    def bring(self, found: GitCommit, say: Say | None = None) -> str:
        """Have the commit `found` with its files; its own hash, where `found` is a tag. Raises FetchError,
        GitFailed, Cancelled."""
        self._open()
        if not self.has(found.checksum):
            self._fetch(found, say)
        return self.commit_of(found.checksum)

    def discard(self) -> None:
        """Delete the repository, which is damaged."""
        from pybuild.runtime.snapshots.removal import remove_tree

        remove_tree(self.path)

    def commit_of(self, object: str) -> str:
        """The commit that a commit or a tag is. Raises GitFailed."""
        return self._run_text("rev-parse", "--verify", "--quiet", object + "^{commit}")

    def object(self, kind: str, object: str) -> bytes:
        """The bytes of a commit or a tag. Raises GitFailed."""
        return self._git.run("--git-dir", self.path, "cat-file", kind, object)[0]

    def has(self, object: str) -> bool:
        """Whether there is a commit, or a tag with its commit."""
        try:
            self._run_text("cat-file", "-e", object + "^{commit}")
        except GitFailed as error:
            if is_damage(error) and "bad object" not in error.said:
                raise
            return False
        return True

    def _fetch(self, found: GitCommit, say: Say | None) -> None:
        for options, specs in self._ways(found):
            try:
                self._try(options, specs, say)
            except GitFailed as error:
                if is_damage(error):
                    raise
                if not _NOT_THERE.search(error.said):
                    raise fetch_failed(self.remote, error) from None
            if self.has(found.checksum):
                return
        raise CommitNotFound(
            f"fetched ref {found.ref} does not match expected commit {found.checksum} and commit can not be found "
            "in the repository",
            help=f"is the commit on a branch or a tag of {self.remote}?",
        )

    def _ways(self, found: GitCommit) -> Iterator[tuple[list[str], list[str]]]:
        """How to ask for a commit: by its ref, by its hash, which some servers refuse, or for everything."""
        if not COMMIT.fullmatch(found.ref):
            kept = sha256(found.ref.encode("utf-8", "surrogateescape")).hexdigest()[:24]
            yield ["--depth=1"], [f"+{found.ref}:refs/fetched/{kept}"]
        yield ["--depth=1"], [f"+{found.checksum}:refs/fetched/{found.checksum}"]
        whole = ["+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"]
        yield (["--unshallow"] if os.path.exists(os.path.join(self.path, "shallow")) else []), whole

    def _try(self, options: list[str], specs: list[str], say: Say | None) -> None:
        """Fetch, with all of the history where the server knows no part of it."""
        try:
            self._fetch_once(options, specs, say)
        except GitFailed as error:
            if not options or not _NOT_SHALLOW.search(error.said):
                raise
            self._fetch_once([], specs, say)

    def _fetch_once(self, options: list[str], specs: list[str], say: Say | None) -> None:
        _, said = self._git.run(
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
        if say is not None and said.strip():
            say(said)

    def _open(self) -> None:
        """Make the repository if it is missing, and clear away what killed processes left."""
        if not os.path.isfile(os.path.join(self.path, "HEAD")):
            from pybuild.runtime.snapshots.removal import remove_tree

            remove_tree(self.path)
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
    """Whether git found the store's repository damaged, as after a loss of power."""
    return _BROKEN.search(error.said) is not None


def repository_name(remote: str, format: str) -> str:
    """The name of a remote's repository, safe in file names."""
    end = "" if format == "sha1" else "-" + format
    return sha256(remote.encode("utf-8", "surrogateescape")).hexdigest()[:40] + end + ".git"


def make_repository(path: str, format: str, *, remote: str, bare: bool = True, head: str = "") -> None:
    """An empty repository, the same whatever version of git will use it. `head` is the commit checked out."""
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
    """A value as git's configuration files write it."""
    if re.fullmatch(r"[A-Za-z0-9_./:@~+=,%$&'()*!?-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def write_file(path: str, text: str) -> None:
    """A file of mode 0644, whatever the umask."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)


def make_directories(path: str) -> None:
    """A directory of mode 0755 and those above it, whatever the umask."""
    path = path.rstrip("/")
    if not os.path.isdir(path):
        make_directories(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)


def _locks(path: str) -> Iterator[str]:
    """Lock files and half-written packs."""
    for here, directories, files in os.walk(path):
        if here == os.path.join(path, "objects"):
            directories[:] = ["pack"]
        for name in files:
            if name.endswith(".lock") or name.startswith("tmp_"):
                yield os.path.join(here, name)


def fetch_failed(remote: str, error: GitFailed) -> FetchError:
    """What a fetch that failed tells the user."""
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
    title, told = f"failed to fetch remote {remote}", "\n".join(lines[-8:])
    diagnostic = Diagnostic(title, notes=[("git", told)] if told else [])
    return kind(diagnostic.known_as(f"{title}: git stderr:\n{told}: exit status {error.code}"), help=help)
