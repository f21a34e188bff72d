"""The output of a step, as far as error messages need it: its end, and the number of its lines."""

from __future__ import annotations

KEPT_BYTES = 16 << 10


_NO_SPACE = (b"o space left on device", b"isk quota exceeded")
_LONGEST = max(map(len, _NO_SPACE))


class StepOutput:
    """The last bytes of a step's output, both streams in the order of arrival. `no_space`: somewhere in it a program
    said that it found no space."""

    __slots__ = ("_breaks", "_clipped", "_open", "no_space", "tail")

    def __init__(self, data: bytes = b"") -> None:
        self.tail = bytearray()
        self._breaks = 0
        self._open = False
        self._clipped = False
        self.no_space = False
        self.add(data)

    def add(self, data: bytes) -> None:
        """Append output, and drop what exceeds KEPT_BYTES."""
        if not data:
            return
        self._breaks += data.count(b"\n")
        self._open = not data.endswith(b"\n")
        self._clipped = self._clipped or len(self.tail) + len(data) > KEPT_BYTES
        if not self.no_space:
            around = bytes(self.tail[-_LONGEST:]) + data
            self.no_space = any(words in around for words in _NO_SPACE)
        self.tail.extend(data[-KEPT_BYTES:])
        del self.tail[:-KEPT_BYTES]

    @property
    def count(self) -> int:
        """The number of lines written, an unfinished one included."""
        return self._breaks + self._open

    def lines(self) -> tuple[str, ...]:
        """Return the last complete lines. A line that was overwritten by carriage returns, as progress bars are,
        appears as it was shown last."""
        lines = self.tail.decode("utf-8", "replace").split("\n")
        if not lines[-1]:
            lines.pop()
        if self._clipped and len(lines) > 1:
            del lines[0]
        return tuple(line.rstrip().rpartition("\r")[2] for line in lines)
