"""Files from elsewhere: git repositories, and archives or single files by HTTP.

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
"""What a file that is no archive is called in its context."""

_BLOCK = 512
_MAGIC = (b"BZh", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def is_remote(context: str) -> bool:
    """Whether a context is an address: a git repository's or of HTTP. Raises `UsageError` for a repository's
    whose query is wrong."""
    try:
        return parse_git_ref(context) is not None or is_http(context)
    except UserError as error:
        raise UsageError(error.diagnostic) from None


def git_state(
    found: GitRef,
    name: str,
    *,
    keep_git_dir: bool = False,
    checksum: str = "",
    mtime: str = "",
    spans: tuple[Span, ...] = (),
) -> State:
    """The files of a repository; `name` is what progress shows, `spans` is where it is named. `checksum` and
    `mtime` count where the address has none."""
    return State.git(
        found.remote,
        found.ref,
        subdir=found.subdir,
        keep_git_dir=keep_git_dir or bool(found.keep_git_dir),
        checksum=found.checksum or checksum,
        skip_submodules=found.submodules is False,
        mtime=found.mtime or mtime,
        fetch_by_commit=found.fetch_by_commit,
        options=Options(name=name, spans=spans),
    )


def http_context(url: str, name: str, bridge: Bridge) -> tuple[State, bool]:
    """What is at `url`, and whether it was an archive: its contents then, else a directory with one file,
    `FILE`. Fetches it."""
    state = State.http(url, filename=FILE, options=Options(name=name))
    assert state.edge is not None
    if not is_archive(bridge.read_file(state.edge, FILE, limit=_BLOCK)):
        return state, False
    return State.scratch().file(copy(state, "/" + FILE, "/", unpack=True)), True


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with `head` is a tar archive or compressed."""
    if head.startswith(_MAGIC):
        return True
    from tarfile import TarError, TarInfo

    try:
        TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except TarError:
        return False
    return True
