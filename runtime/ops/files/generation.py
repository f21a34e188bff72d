"""Reuse of files that an earlier run of the same copy from a local directory wrote.

Beside the files of such a snapshot lies a record of their digests. The next run hard-links a file to the earlier
one if digest, mode, owner and time are the same, in place of writing it. No chain may get an inode under two names
in this way: see `linking.py`.
"""

from __future__ import annotations

import errno
import marshal
import os
import stat
from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.ops.files.owners import Owner

NAME = b"copied"
LEAST = 16
"""The number of files from which on a copy leaves a record."""
_REFUSED = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOENT, errno.EOPNOTSUPP})


class Generation:
    """The files copied to the active snapshot with directory `upper`; `before` is the layer of an earlier run."""

    __slots__ = ("_before", "_known", "_start", "_upper", "_written", "linked")

    def __init__(self, upper: bytes, before: bytes | None) -> None:
        self._upper = upper
        self._start = len(upper) + 1
        self._before = before
        self._known = _load(before) if before is not None else {}
        self._written: dict[bytes, bytes] = {}
        self.linked = False

    def link(self, target: bytes, digest: bytes, size: int, mode: int, owner: Owner, mtime: int) -> bool:
        """Link the real path `target` to the earlier run's file if that has these properties; report whether it
        did."""
        path = target[self._start :]
        if self._known.get(path) != digest:
            return False
        assert self._before is not None
        real = self._before + b"/" + path
        try:
            earlier = os.lstat(real)
            if (
                earlier.st_mode != stat.S_IFREG | mode
                or earlier.st_size != size
                or earlier.st_mtime_ns != mtime
                or (earlier.st_uid, earlier.st_gid) != owner
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
        """Record that the file at `target` was written, with bytes of this digest and no extended attributes."""
        self._written[target[self._start :]] = digest

    def save(self) -> None:
        """Write the record beside the files. Call before the snapshot is committed."""
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
    # The file is not synced, so a loss of power may have left any bytes.
    if len(data) < 4 or crc32(data[4:]) != int.from_bytes(data[:4], "little"):
        return {}
    digests = marshal.loads(data[4:])
    return digests if isinstance(digests, dict) else {}
