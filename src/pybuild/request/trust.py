"""Who may have what: the one place where requests of a project are judged.

A request of a project (`grants.py`) that isn't on the command line is granted if the directory of the file that
makes it lies in one of `trust = [DIRECTORIES]` of a `config.toml`, or if `pybuild trust` has remembered it for that
directory. Nobody is ever asked during a build.

What is remembered is a file for each directory, which holds the texts of its requests: an edit needs no new consent,
a new request does. Only `pybuild trust` writes it.
"""

from __future__ import annotations

import json
import os
import shlex
from hashlib import sha256

from pybuild.lang.diagnostics import Diagnostic, Label, UsageError
from pybuild.request.config.user_file import trusted_directories, user_directory, user_paths
from pybuild.request.grants import MODULE, module_request
from pybuild.request.project import is_here, shown, trusted_users, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pybuild.lang.source import Source
    from pybuild.request.grants import Requested
    from pybuild.request.request import BuildRequest

PYTHON = "python"
"""The entitlement that lets a build file run as Python."""

_WRITERS = 0o022


class Untrusted(UsageError):
    """The file `path` makes requests that nothing grants; `flags` would. `source` is its text, None for a Python
    module."""

    def __init__(self, path: str, source: Source | None, requests: Sequence[Requested]) -> None:
        self.path = path
        self.flags = tuple(request.flag for request in requests)
        directory = shown(os.path.dirname(os.path.abspath(path)))
        flags = " ".join(self.flags)
        trust = f"`pybuild trust {shlex.quote(directory)}` remembers all that it requests"
        if source is None:
            title = f"{path} is a Python module, which would run on this machine"
            super().__init__(
                Diagnostic(title),
                help=f"read it first; to run it, name the file itself, as by {flags}; {trust}",
            )
            return
        from pybuild.request.config.tomlfile import key_span

        # Items of a list share the line of its key.
        texts: dict[tuple[str | int, ...], list[str]] = {}
        for request in requests:
            key = tuple(part for part in request.key if isinstance(part, str))
            texts.setdefault(key, []).append(request.text)
        labels = [Label(key_span(source, key), " ".join(each)) for key, each in texts.items()]
        labels.sort(key=lambda label: label.span.line)
        title = f"{path} requests what only you can grant"
        super().__init__(Diagnostic(title, labels=labels), help=f"to grant it, give {flags}; {trust}")


def refuse_untrusted(
    requests: Sequence[Requested], path: str, source: Source | None, consulted: list[str]
) -> None:
    """Raise Untrusted unless every request of the file `path` has been granted; the files whose state decides about
    that are added to `consulted`. Raises UsageError for a `config.toml` that isn't valid."""
    if not requests:
        return
    directory = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    consulted += [*user_paths(), memory_of(directory)]
    if any(within(directory, trusted) for trusted in trusted_directories()):
        return
    granted = remembered(directory)
    missing = [request for request in requests if request.text not in granted]
    if missing:
        raise Untrusted(path, source, missing)


def refuse_module(path: str, request: BuildRequest) -> None:
    """Raise UsageError unless the build file `path` of a request may run as Python.

    It must be called `*.py`, and be named by the request, be allowed, be the file of a context that `is_here`, or be
    trusted.
    """
    if request.file == "-" or not path.endswith(MODULE):
        if request.file == "-" and PYTHON in request.allow:
            return
        raise _unnamed(path, request)
    # A file that pybuild.toml names has been judged with the requests of that.
    if request.file is not None or PYTHON in request.allow:
        return
    if os.path.isdir(request.context) and is_here(request.context):
        return
    refuse_untrusted([module_request(path)], path, None, [])


def _unnamed(path: str, request: BuildRequest) -> UsageError:
    if request.file == "-":
        return UsageError(
            "a Python module from standard input would run on this machine",
            help="read it first; --allow python lets it run, or write it to a file and name that",
        )
    return UsageError(
        f"{path} would run as Python, which only a file called *{MODULE} can",
        help=f"rename it to {os.path.basename(path).partition('.')[0].lower()}{MODULE}, or remove its syntax line",
    )


# What is remembered


def memory_of(directory: str) -> str:
    """Return the file that remembers the requests of a directory, a real path."""
    return os.path.join(_memory(), sha256(os.fsencode(directory)).hexdigest())


def remembered(directory: str) -> frozenset[str]:
    """Return the requests of a directory that have been granted for good."""
    entry = _read(memory_of(directory))
    return frozenset(entry[1]) if entry is not None and entry[0] == directory else frozenset()


def remember(directory: str, requests: Sequence[Requested]) -> None:
    """Remember the requests of a directory, in place of those before; without one it is forgotten. Raises OSError."""
    path = memory_of(directory)
    if not requests:
        forget(directory)
        return
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    data = json.dumps({"directory": directory, "requests": [request.text for request in requests]}, indent=1)
    temporary = f"{path}.{os.urandom(6).hex()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "w", encoding="ascii") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def forget(directory: str) -> bool:
    """Forget the requests of a directory; report whether any were remembered. Raises OSError."""
    try:
        os.unlink(memory_of(directory))
    except FileNotFoundError:
        return False
    return True


def all_remembered() -> list[tuple[str, tuple[str, ...]]]:
    """Return the directories that are trusted with their requests, sorted."""
    return sorted(_entries())


def _entries() -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        names = os.listdir(_memory())
    except FileNotFoundError:
        return
    for name in names:
        entry = _read(os.path.join(_memory(), name))
        if entry is not None and memory_of(entry[0]).endswith(f"/{name}"):
            yield entry


def _memory() -> str:
    return os.path.join(user_directory("XDG_STATE_HOME", ".local/state"), "pybuild", "trust")


def _read(path: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the directory and the requests in a file; None if there is no such file, or none of the user's own."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as file:
            status = os.fstat(file.fileno())
            if status.st_uid not in trusted_users() or status.st_mode & _WRITERS:
                return None
            entry = json.loads(file.read())
        return str(entry["directory"]), tuple(map(str, entry["requests"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
