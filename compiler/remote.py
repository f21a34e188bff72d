"""Remote contexts: git repositories, and archives or single files fetched by HTTP.

The rules are those of BuildKit's `frontend/dockerui/context.go`.
"""

from __future__ import annotations

from pybuild.compiler.bridge import Bridge
from pybuild.compiler.giturl import GitRef, parse_git_ref
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, copy
from pybuild.compiler.urls import is_http
from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.lang.source import Span

FILE = "context"
"""The name of a downloaded file that isn't an archive, in its context."""

_BLOCK = 512
_MAGIC = (b"BZh", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def is_remote(context: str) -> bool:
    """True if a context is an address: a git repository or an HTTP address.

    Raises `UsageError` for a repository whose query is wrong.
    """
    try:
        return parse_git_ref(context) is not None or is_http(context)
    except UserError as error:
        raise UsageError(error.diagnostic) from None


def git_state(
    repository: GitRef,
    name: str,
    *,
    keep_git_dir: bool = False,
    checksum: str = "",
    mtime: str = "",
    spans: tuple[Span, ...] = (),
) -> State:
    """Return the state of a repository's files.

    `name` is shown by progress; `spans` are the places that name the repository. `checksum` and `mtime` count if the
    address has none.
    """
    return State.git(
        repository.remote,
        repository.ref,
        subdir=repository.subdir,
        keep_git_dir=keep_git_dir or bool(repository.keep_git_dir),
        checksum=repository.checksum or checksum,
        skip_submodules=repository.submodules is False,
        mtime=repository.mtime or mtime,
        fetch_by_commit=repository.fetch_by_commit,
        options=Options(name=name, spans=spans),
    )


def http_context(url: str, name: str, bridge: Bridge) -> tuple[State, bool]:
    """Return the state of the file at `url`, and whether it is an archive.

    An archive gives its contents, any other file a directory with the one file `FILE`. The file is fetched to decide.
    """
    state = State.http(url, filename=FILE, options=Options(name=name))
    assert state.edge is not None
    if not is_archive(bridge.read_file(state.edge, FILE, limit=_BLOCK)):
        return state, False
    return State.scratch().file(copy(state, "/" + FILE, "/", unpack=True)), True


def is_archive(head: bytes) -> bool:
    """True if a file that begins with `head` is a tar archive, or compressed."""
    if head.startswith(_MAGIC):
        return True
    from tarfile import TarError, TarInfo

    try:
        TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except TarError:
        return False
    return True
