"""The request of a git source op: the remote, the ref, and how to check out its files."""

from __future__ import annotations

import re

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.ops import SourceOp

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""A whole commit hash, SHA-1 or SHA-256."""

MTIMES = ("", "checkout", "commit")

_ATTRIBUTES = frozenset(
    {
        "git.keepgitdir",
        "git.fullurl",
        "git.authtokensecret",
        "git.authheadersecret",
        "git.knownsshhosts",
        "git.mountsshsock",
        "git.checksum",
        "git.fetchbycommit",
        "git.skipsubmodules",
        "git.mtime",
    }
)


class GitRequest:
    """The parsed source op.

    `remote` is without a password, and without a user unless it is for SSH; `user` and `password` are the login that
    the address had. `ref` is a branch, a tag, `refs/…`, a whole commit hash, or "" for the default branch. With
    `by_commit` the commit is `checksum`, whatever the ref points to. `subdir` is a clean relative path, "" for the
    root.
    """

    __slots__ = (
        "by_commit",
        "checksum",
        "header_secret",
        "host",
        "keep",
        "known_hosts",
        "mtime",
        "password",
        "ref",
        "remote",
        "ssh_id",
        "subdir",
        "submodules",
        "token_secret",
        "user",
    )

    def __init__(self, op: SourceOp) -> None:
        """Parse the op. Raises UserError."""
        from posixpath import normpath

        from pybuild.compiler.sources import git_remote

        attrs = op.attrs
        unknown = set(attrs) - _ATTRIBUTES
        if unknown:
            raise UserError(f"this version does not execute {min(unknown)} of a source")
        address, _, fragment = op.identifier.removeprefix("git://").partition("#")
        self.ref, _, subdir = fragment.partition(":")
        self.subdir = normpath("/" + subdir).strip("/")
        url = attrs.get("git.fullurl") or address
        remote, self.host, _, ssh = git_remote(url)
        self.remote, self.user, self.password = _without_login(remote, ssh=ssh)
        self.checksum = attrs.get("git.checksum", "").lower()
        self.by_commit = attrs.get("git.fetchbycommit") == "true"
        self.mtime = attrs.get("git.mtime", "")
        self.keep = attrs.get("git.keepgitdir") == "true"
        self.submodules = attrs.get("git.skipsubmodules") != "true"
        self.token_secret = attrs.get("git.authtokensecret", "")
        self.header_secret = attrs.get("git.authheadersecret", "")
        self.known_hosts = attrs.get("git.knownsshhosts", "") if ssh else ""
        self.ssh_id = attrs.get("git.mountsshsock", "") if ssh else ""
        self._check()

    def _check(self) -> None:
        if self.ref.startswith("-") or re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$", self.ref):
            raise UserError(
                f"invalid git ref {self.ref!r}", help="name a branch, a tag, refs/… or a whole commit hash"
            )
        if self.checksum and not re.fullmatch("[0-9a-f]+", self.checksum):
            raise UserError(f"invalid checksum {self.checksum} for Git URL, expected hex commit hash")
        if self.mtime not in MTIMES:
            raise UserError(f"invalid value {self.mtime!r} of git.mtime", help="it is `checkout` or `commit`")
        host = self.host.rpartition("@")[2]
        if self.remote.startswith("-") or host.startswith("-") or re.search(r"[\x00-\x20\x7f]", self.remote):
            raise UserError(f"invalid address of a git repository: {self.remote!r}")

    @property
    def ssh(self) -> bool:
        """True for a remote that is reached by SSH."""
        return not re.match("(https?|git)://", self.remote)


def _without_login(remote: str, *, ssh: bool) -> tuple[str, str, str]:
    """Return an address without its login (for SSH with the user), and user and password. Raises UserError."""
    from urllib.parse import unquote

    scheme, separator, rest = remote.partition("://")
    if not separator:
        return remote, "", ""
    authority, slash, path = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if not at:
        return remote, "", ""
    user, _, password = login.partition(":")
    prefix = f"{user}@" if ssh else ""
    decoded = unquote(user), unquote(password)
    if any(re.search(r"[\x00-\x1f\x7f]", text) for text in decoded):
        raise UserError(f"the login in the address of {host} has control characters in it")
    return f"{scheme}://{prefix}{host}{slash}{path}", *decoded
