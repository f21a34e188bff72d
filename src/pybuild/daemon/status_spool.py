"""The status messages of a Solve, kept for later listeners: the first in memory, more in an unnamed file."""

from __future__ import annotations

import os
import tempfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

IN_MEMORY = 256 << 10
"""The most bytes of one Solve that are held in memory."""


class StatusSpool:
    """A sequence of messages. The file is made in `directory` when it is needed; `close` removes it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._places: list[tuple[int, int]] = []
        self._size = 0
        self._memory = bytearray()
        self._file: BinaryIO | None = None

    def __len__(self) -> int:
        return len(self._places)

    def append(self, message: bytes) -> None:
        """Append a message. Raises OSError."""
        if self._file is None and self._size + len(message) > IN_MEMORY:
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 - stays open
            self._write(self._file, bytes(self._memory), 0)
            self._memory.clear()
        if self._file is None:
            self._memory += message
        else:
            self._write(self._file, message, self._size)
        self._places.append((self._size, len(message)))
        self._size += len(message)

    def __getitem__(self, number: int) -> bytes:
        offset, length = self._places[number]
        if self._file is None:
            return bytes(self._memory[offset : offset + length])
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Remove the file. Nothing can be read afterwards. Idempotent."""
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _write(file: BinaryIO, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            count = os.pwrite(file.fileno(), view, offset)
            view, offset = view[count:], offset + count
