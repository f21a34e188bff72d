"""Overwrite build files with a formatted or fixed text."""

from __future__ import annotations

import os
import stat

from pybuild.lang.diagnostics import UserError
from pybuild.request.project import refuse_link_out

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def encode(text: str, before: bytes) -> bytes:
    """Encode a build file's text, with the byte-order mark that the file had."""
    mark = BYTE_ORDER_MARK if before.startswith(BYTE_ORDER_MARK) else b""
    return mark + text.encode("utf-8", "surrogateescape")


def rewrite(path: str, data: bytes) -> None:
    """Replace the file at `path` atomically. Symbolic links are followed in the project; mode and, where that is
    allowed, owner stay. Raises UserError, also for a link that leaves its project."""
    refuse_link_out(path)
    try:
        _rewrite(os.path.realpath(path), data)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}",
            help="check who owns it and its directory, and their modes",
        ) from None


def _rewrite(path: str, data: bytes) -> None:
    before = os.stat(path)
    part = f"{path}.{os.getpid()}.part"
    # Private until it has the owner and the mode of the file that it replaces.
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                try:
                    os.fchown(fd, before.st_uid, before.st_gid)
                except PermissionError:
                    pass
            # After fchown, which clears set-id bits.
            os.fchmod(fd, stat.S_IMODE(before.st_mode))
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
