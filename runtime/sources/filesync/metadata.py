"""The file of descriptions that a transfer of metadata leaves in the root of its tree: all entries of the client's
directory, also those that were not brought. Each is a message of fsutil with its length before it, four bytes with
the low end first."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.compiler.protos.fspackets_pb2 import Stat

NAME = b".fsutil-metadata"


class Descriptions:
    """What is to be the file in the directory `root`."""

    def __init__(self, root: bytes) -> None:
        self._real = root + b"/" + NAME
        self._data = bytearray()

    def add(self, said: Stat) -> None:
        message = said.SerializeToString(deterministic=True)
        self._data += len(message).to_bytes(4, "little") + message

    def save(self) -> None:
        """Write the file, unless it is there as it should be. Raises OSError."""
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
