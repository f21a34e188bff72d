"""What an earlier run of the same copy from a local directory wrote: unchanged files are linked, not written again.

A snapshot made by such a copy has beside its files the digests of those it wrote. A file of the next run whose
bytes have the same digest, and that is to have the same mode, owner and time, is a hard link to the earlier one.
No chain may get an inode under two names by that: see `linking.py`.
"""

from __future__ import annotations

import errno
import marshal
import os
import stat
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.writer import Owner

NAME = b"copied"
LEAST = 16
"""Copies of fewer files are not worth a record."""
_REFUSED = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOENT, errno.EOPNOTSUPP})


class Generation:
    """The files of one snapshot being made in `upper`; `before` is the layer directory of an earlier one."""

    __slots__ = ("_before", "_known", "_start", "_upper", "_written", "linked")

    def __init__(self, upper: bytes, before: bytes | None) -> None:
        self._upper = upper
        self._start = len(upper) + 1
        self._before = before
        self._known = _load(before) if before is not None else {}
        self._written: dict[bytes, bytes] = {}
        self.linked = False

    def link(self, target: bytes, digest: bytes, size: int, mode: int, owner: Owner, mtime: int) -> bool:
        """Make the file at the real path `target` as a link to the earlier one, if that is what it is to be."""
        path = target[self._start :]
        if self._known.get(path) != digest:
            return False
        assert self._before is not None
        real = self._before + b"/" + path
        try:
            found = os.lstat(real)
            if (
                found.st_mode != stat.S_IFREG | mode
                or found.st_size != size
                or found.st_mtime_ns != mtime
                or (found.st_uid, found.st_gid) != owner
            ):
                return False
            os.link(real, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _REFUSED:
                return False
            raise
        self._written[path] = digest
        self.linked = True
        return True

    def note(self, target: bytes, digest: bytes) -> None:
        """The file at `target` was written, with bytes of this digest and without attributes."""
        self._written[target[self._start :]] = digest

    def save(self) -> None:
        """Leave the record beside the files, before they are committed."""
        if len(self._written) < LEAST:
            return
        body = marshal.dumps(self._written)
        with open(os.path.join(os.path.dirname(self._upper), NAME), "wb") as file:
            file.write(crc32(body).to_bytes(4, "little") + body)


def _load(layer: bytes) -> dict[bytes, bytes]:
    try:
        with open(os.path.join(os.path.dirname(layer), NAME), "rb") as file:
            data = file.read()
    except OSError:
        return {}
    if len(data) < 4 or crc32(data[4:]) != int.from_bytes(data[:4], "little"):
        return {}
    found = marshal.loads(data[4:])
    return found if isinstance(found, dict) else {}
