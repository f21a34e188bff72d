"""Forwards an SSH agent of the client to a socket that is mounted in a step.

As in BuildKit, only requests to list keys and to sign reach the agent. All others (adding, removing, locking,
extensions) are answered with a failure. A raw agent is connected without a filter.

A message of the agent protocol (draft-miller-ssh-agent) is a big-endian length of four bytes and that many bytes, the
first of which is the type.
"""

from __future__ import annotations

import socket
import threading

from pybuild.runtime.session.listening import CHUNK, Listening, at, shut

REQUEST_IDENTITIES, SIGN_REQUEST, EXTENSION = 11, 13, 27
FAILURE, EXTENSION_FAILURE = 5, 28
PASSED = (REQUEST_IDENTITIES, SIGN_REQUEST)
LONGEST = 256 << 10
"""Most bytes of a message: the limit of OpenSSH's agent."""


class Forward:
    """A listening socket for one step, at a path of any length and with an owner and a mode. `close` ends its threads
    and removes the socket."""

    def __init__(self, path: str, agent: str, *, uid: int, gid: int, mode: int, raw: bool = False) -> None:
        """`agent` is the path of the agent's socket. Raises OSError."""
        self.path = path
        self._agent = agent
        self._raw = raw
        self._listening = Listening(path, self._serve, uid=uid, gid=gid, mode=mode)

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._listening.close()

    def _serve(self, listening: Listening, client: socket.socket) -> None:
        """Serve one connection of the step until either side ends it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            if not listening.joined(server):
                return
            try:
                at(self._agent, server.connect)
                if self._raw:
                    _connect(client, server)
                else:
                    _filter(client, server)
            finally:
                listening.left(server)


def _filter(client: socket.socket, server: socket.socket) -> None:
    """Pass the permitted requests to the agent, one after the other, until the client closes the connection."""
    while True:
        request = _message(client)
        if request is None:
            return
        kind = request[0]
        if kind not in PASSED:
            client.sendall(_framed(bytes([EXTENSION_FAILURE if kind == EXTENSION else FAILURE])))
            continue
        server.sendall(_framed(request))
        answer = _message(server)
        if answer is None:
            return
        client.sendall(_framed(answer))


def _message(stream: socket.socket) -> bytes | None:
    """Read the next message; None at the end of the stream and for a malformed one."""
    head = _read(stream, 4)
    length = int.from_bytes(head, "big")
    if len(head) < 4 or not 0 < length <= LONGEST:
        return None
    body = _read(stream, length)
    return body if len(body) == length else None


def _read(stream: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = stream.recv(min(CHUNK, size - len(data)))
        if not part:
            break
        data += part
    return bytes(data)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4, "big") + message


def _connect(client: socket.socket, server: socket.socket) -> None:
    """Pass all bytes in both directions until one side ends."""
    back = threading.Thread(target=_copy, args=(server, client), name="ssh agent", daemon=True)
    back.start()
    _copy(client, server)
    back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(CHUNK):
            target.sendall(data)
    except OSError:
        pass
    finally:
        shut(target)
