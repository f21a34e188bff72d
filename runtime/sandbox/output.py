"""Tell a step's output from messages that the runtime writes to the step's stderr.

That the kernel can't execute a program turns out in the container's own process, after the runtime has closed its
log. So the message comes on the step's stderr: from crun as a JSON record, from runc as a line.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STDERR = 2
_FORMAT_ERROR = "exec format error"
_RECORD = b'{"msg":"exec container process'
"""The beginning of crun's record."""
_LONGEST_RECORD = 8192


class Output:
    """Passes on a step's output. A message of the runtime about `program` is passed on in plain words, except an
    exec format error: that is held back and noted in `format_error`."""

    def __init__(self, program: str, on_output: Callable[[int, bytes], None]) -> None:
        self._program = program
        self._on_output = on_output
        self._first = True
        self._held = b""
        self.format_error = False

    def __call__(self, stream: int, data: bytes) -> None:
        if self._first and stream == _STDERR:
            self._held += data
            if not _is_cut(self._held):
                self.finish()
        else:
            self._on_output(stream, data)
            self._first = self._first and bool(self._held)

    def finish(self) -> None:
        """Pass on everything held back, when nothing more comes that could complete it."""
        data, self._held, self._first = self._held, b"", False
        if data:
            self._pass(_STDERR, data)

    def _pass(self, stream: int, data: bytes) -> None:
        reason = self._reason(data)
        if reason is None:
            self._on_output(stream, data)
        elif reason.lower() == _FORMAT_ERROR:
            self.format_error = True
        else:
            self._on_output(stream, f"exec {self._program}: {reason}\n".encode("utf-8", "surrogateescape"))

    def _reason(self, data: bytes) -> str | None:
        """The reason why the kernel can't execute the program, if `data` is the runtime's message about that."""
        text = data.decode("utf-8", "surrogateescape").rstrip("\n")
        if "\n" in text:
            return None
        if text == f"exec {self._program}: {_FORMAT_ERROR}":
            return _FORMAT_ERROR
        if not data.startswith(_RECORD):
            return None
        try:
            message = str(json.loads(text)["msg"])
        except (ValueError, KeyError):
            return None
        for why in ("", "(missing dynamic library?) "):
            head = f"exec container process {why}`{self._program}`: "
            if message.startswith(head):
                reason = message.removeprefix(head)
                return f"{reason}; its interpreter is missing, perhaps" if why else reason
        return None


def _is_cut(data: bytes) -> bool:
    """Report whether `data` may be the start of crun's record, which comes in pieces and ends with its line."""
    if data.endswith(b"\n") or len(data) > _LONGEST_RECORD:
        return False
    return data.startswith(_RECORD) or _RECORD.startswith(data)
