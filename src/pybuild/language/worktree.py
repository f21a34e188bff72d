"""Asks git about a work tree that a stranger may have written, so that it runs no program.

A repository's configuration may name programs: filters, hooks, a file system monitor, signature checks, pagers,
external diffs, transports that fetch what is missing. Only git's own readers of objects, references and the index are
used, with all of these off. git's rule about the owner of a repository holds, with the user's `safe.directory`.
"""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = 60
"""Seconds after which git is given up."""
_SETTINGS = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.pager=cat",
    "diff.external=",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
)
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # nothing is fetched, not even objects that a partial clone lacks
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_REFUSAL = "safe.directory"
_SUBMODULE = b"160000 "


class RefusedRepository(UserError):
    """git doesn't read the repository of `directory`, which belongs to another user; `command` lets it."""

    def __init__(self, directory: str, command: str) -> None:
        self.directory = directory
        self.command = command
        super().__init__(
            f"git refuses the repository of {directory}: it belongs to another user",
            help=f"if you trust it, run `{command}`; `vcs` then has its values",
        )


class UnreadableWorkTree(UserError):
    """git can't tell whether the work tree `directory` has changes."""

    def __init__(self, directory: str, reason: str) -> None:
        self.directory = directory
        super().__init__(
            f"git can't tell whether {directory} has changes: {reason}",
            help="repair the repository, or leave out `vcs.dirty`",
        )


def ask(directory: str, *words: str, settings: Sequence[str] = ()) -> bytes | None:
    """Return what git prints; None if it fails, isn't there, or finds no repository. Raises RefusedRepository."""
    from subprocess import DEVNULL, SubprocessError, run

    options = [word for setting in (*_SETTINGS, *settings) for word in ("-c", setting)]
    command = ["git", "--no-pager", *options, "-C", directory, *words]
    environment = {**os.environ, **_ENVIRONMENT}
    try:
        done = run(
            command, stdin=DEVNULL, capture_output=True, env=environment, timeout=_TIMEOUT, check=False
        )
    except (OSError, SubprocessError):
        return None
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    advice = [line.strip() for line in lines if _REFUSAL in line]
    if advice:
        raise RefusedRepository(directory, advice[-1])
    return None


def is_modified(directory: str) -> bool:
    """Report whether tracked files of the work tree around `directory`, or of submodules in it, have changes. Raises
    RefusedRepository, UnreadableWorkTree."""
    top = ask(directory, "rev-parse", "--show-toplevel")
    return top is not None and _is_modified(os.fsdecode(top.removesuffix(b"\n")), set())


def _is_modified(top: str, seen: set[bytes]) -> bool:
    # A submodule's configuration may name any directory as its work tree, even the one that it is in.
    own = _ask(top, "rev-parse", "--absolute-git-dir")
    if own in seen:
        return False
    seen.add(own)
    status = (
        "status",
        "--porcelain",
        "-z",
        "--no-renames",
        "--untracked-files=no",
        "--ignore-submodules=dirty",
    )
    changes = _ask(top, *status, settings=_without_filters(top)).split(b"\0")[:-1]
    if any(not change.startswith(b" M ") for change in changes):
        return True
    if changes and not {change[3:] for change in changes} <= _filtered_and_at_rest(top):
        return True
    # git would start another git in a submodule, which would obey the filters of that.
    entries = _ask(top, "ls-files", "--stage", "-z").split(b"\0")
    submodules = [entry.partition(b"\t")[2] for entry in entries if entry.startswith(_SUBMODULE)]
    directories = [os.path.join(top, os.fsdecode(path)) for path in submodules]
    return any(
        _is_modified(path, seen) for path in directories if os.path.lexists(os.path.join(path, ".git"))
    )


def _ask(top: str, *words: str, settings: Sequence[str] = ()) -> bytes:
    answer = ask(top, *words, settings=settings)
    if answer is None:
        raise UnreadableWorkTree(top, f"`git {words[0]}` failed")
    return answer


def _without_filters(top: str) -> list[str]:
    """Return the settings that turn off every filter that the configuration names. Raises UnreadableWorkTree."""
    # `git config` fails if no name matches; the format of repositories is always set in the list.
    names = _ask(top, "config", "--list", "--name-only", "-z").split(b"\0")
    filters = {
        os.fsdecode(name.rpartition(b".")[0])
        for name in names
        if name.startswith(b"filter.") and name.count(b".") > 1
    }
    if any("=" in name for name in filters):  # `-c` can't name it
        raise UnreadableWorkTree(top, "its configuration has a filter with a `=` in its name")
    settings = []
    for name in sorted(filters):
        settings += [f"{name}.clean=", f"{name}.smudge=", f"{name}.process=", f"{name}.required=false"]
    return settings


def _filtered_and_at_rest(top: str) -> set[bytes]:
    """Return the files with a filter whose size and time are those in the index.

    Their content can't be compared without the filter. git compares it all the same if the index was written in the
    same second as the file.
    """
    attributes = _ask(top, "ls-files", "-z", "--debug", "--", ":(exclude,attr:!filter)")
    files = set()
    # A name that ends with NUL, then lines such as `  mtime: 1700000000:5` and `  size: 12\tflags: 0`.
    names_and_lines = attributes.split(b"\0")
    name = names_and_lines[0]
    for part in names_and_lines[1:]:
        lines = part.splitlines(keepends=True)
        # The next name may hold line breaks: an entry has five lines.
        entry, following = b"".join(lines[:5]), b"".join(lines[5:])
        if _is_at_rest(os.path.join(os.fsencode(top), name), entry):
            files.add(name)
        name = following
    return files


def _is_at_rest(path: bytes, entry: bytes) -> bool:
    try:
        status = os.lstat(path)
        words = entry.replace(b":", b" ").split()
        seconds = int(words[words.index(b"mtime") + 1])
        size = int(words[words.index(b"size") + 1])
    except (OSError, ValueError, IndexError):
        return False
    return int(status.st_mtime) == seconds and status.st_size & 0xFFFFFFFF == size
