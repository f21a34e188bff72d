"""The files that a build writes for scripts: the image's digest and the metadata."""

from __future__ import annotations

import os
import stat

from pybuild.lang.diagnostics import UsageError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def check(path: str, flag: str) -> None:
    """Check that a file can be written at `path`, before the build rather than after it. Raises UsageError, and
    ProtectedPath for a file of the project that no output may write."""
    from pybuild.request.project import Project
    from pybuild.runtime.export.protected import ProtectedFiles

    directory = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UsageError(f"{flag}: {path} is a directory", help="give the name of a file")
    if not os.path.isdir(directory):
        raise UsageError(f"{flag}: there is no directory {directory}", help="make it first")
    if not os.access(directory, os.W_OK) and not os.path.exists(path):
        raise UsageError(f"{flag}: {directory} can't be written", help="choose another place")
    ProtectedFiles([Project(directory).root], []).refuse_file(path)


def discard_stale(path: str) -> None:
    """Remove an earlier digest, so that a failed build leaves none that a script takes for its own."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass


def write(path: str, text: str) -> None:
    """Write a file atomically, through symbolic links; a path that is no regular file (/dev/stdout, a pipe)
    is written directly. Raises UserError."""
    try:
        _write(path, text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _write(path: str, text: str) -> None:
    path = os.path.realpath(path) if not path.startswith("/dev/") else path
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    part = f"{path}.{os.getpid()}.part"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def metadata_text(metadata: Mapping[str, object]) -> str:
    import json

    return json.dumps(metadata, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
