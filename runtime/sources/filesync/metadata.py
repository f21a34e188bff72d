"""The file of descriptions in the root of a tree that was transferred as metadata only.

It has all entries of the client's directory, also those whose files were not transferred. Each is an fsutil message
after its length in four bytes, little-endian.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.protos.fspackets_pb2 import Stat

NAME = b".fsutil-metadata"


class Descriptions:
    """The file of descriptions in the directory `root`, collected in memory."""

    def __init__(self, root: bytes) -> None:
        self._real = root + b"/" + NAME
        self._data = bytearray()

    def add(self, description: Stat) -> None:
        """Append the description of an entry."""
        message = description.SerializeToString(deterministic=True)
        self._data += len(message).to_bytes(4, "little") + message

    def save(self) -> None:
        """Write the file, unless it has the same content already. Raises OSError."""
        try:
            with open(self._real, "rb") as file:
                if file.read() == self._data:
                    return
            os.unlink(self._real)
        except FileNotFoundError:
            pass
        fd = os.open(self._real, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(self._data)
        os.utime(self._real, ns=(0, 0))
