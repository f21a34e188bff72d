"""What a step wrote, as far as messages need it: its end, and how many lines it were."""

from __future__ import annotations

KEPT_BYTES = 16 << 10


class StepOutput:
    """The last bytes of a step's output, both streams as they came."""

    __slots__ = ("_breaks", "_clipped", "_open", "tail")

    def __init__(self, data: bytes = b"") -> None:
        self.tail = bytearray()
        self._breaks = 0
        self._open = False
        self._clipped = False
        self.add(data)

    def add(self, data: bytes) -> None:
        if not data:
            return
        self._breaks += data.count(b"\n")
        self._open = not data.endswith(b"\n")
        self._clipped = self._clipped or len(self.tail) + len(data) > KEPT_BYTES
        self.tail.extend(data[-KEPT_BYTES:])
        del self.tail[:-KEPT_BYTES]

    @property
    def count(self) -> int:
        """How many lines were written; one without an end counts."""
        return self._breaks + self._open

    def lines(self) -> tuple[str, ...]:
        """The last lines, whole ones. Of a line that was written over with carriage returns, as progress bars do,
        it is what was seen last."""
        found = self.tail.decode("utf-8", "replace").split("\n")
        if not found[-1]:
            found.pop()
        if self._clipped and len(found) > 1:
            del found[0]
        return tuple(line.rstrip().rpartition("\r")[2] for line in found)
