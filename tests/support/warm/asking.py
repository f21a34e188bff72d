"""What a client of `server.py` sends."""

from __future__ import annotations

import marshal
import socket

LENGTH = 8
"""Bytes of the number of bytes that follow."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def ask(
    client: socket.socket, words: Sequence[str], cwd: str, env: dict[str, str], streams: Sequence[int]
) -> None:
    """Have the server start `pybuild WORDS` with these descriptors as its standard streams."""
    request = marshal.dumps((list(words), cwd, env))
    socket.send_fds(client, [len(request).to_bytes(LENGTH, "big")], streams)
    client.sendall(request)


def exit_code(told: bytes) -> int:
    """The exit code by what the server has told, negative for a signal."""
    import os

    return os.waitstatus_to_exitcode(int(told.split()[1]))
