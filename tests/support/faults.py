"""Faults of a registry that behaves otherwise: answers for `Registry.once` of `tests/runtime/registry/behaving.py`.

registry.once("GET", "/blobs/", faults.stall(5))
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.runtime.registry.behaving import Handler

Fault = Callable[[Handler], object]


def limit(seconds: float | str = 0, **headers: str) -> Fault:
    """429 with Retry-After."""
    return lambda handler: handler.error(
        429, "TOOMANYREQUESTS", "slowly", Retry_After=str(seconds), Connection="close", **headers
    )


def status(number: int, code: str = "UNKNOWN") -> Fault:
    return lambda handler: handler.error(number, code)


def stall(seconds: float, *, after: bytes = b"") -> Fault:
    """Read the request, send `after`, then say nothing until the connection is closed."""

    def act(handler: Handler) -> None:
        handler.body()
        handler.wfile.write(after)
        _until_closed(handler, seconds)
        handler.close_connection = True

    return act


def unread(seconds: float) -> Fault:
    """Don't read the body of the request."""

    def act(handler: Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return act


def trickle(size: int, pause: float, seconds: float = 10) -> Fault:
    """Answer 200 with `size` bytes, one at a time."""

    def act(handler: Handler) -> None:
        handler.body()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        end = time.monotonic() + seconds
        try:
            for _ in range(size):
                handler.wfile.write(b"x")
                time.sleep(pause)
                if time.monotonic() > end:
                    break
        except OSError:
            pass
        handler.close_connection = True

    return act


def cut(size: int, body: bytes, **headers: str) -> Fault:
    """Announce `size` bytes, send `body` and break the connection."""

    def act(handler: Handler) -> None:
        handler.reply(200, body, Content_Length=str(size), **headers)
        handler.wfile.flush()
        handler.reset()

    return act


def garbage(data: bytes) -> Fault:
    """Answer with these bytes alone."""

    def act(handler: Handler) -> None:
        handler.body()
        handler.wfile.write(data)
        handler.close_connection = True

    return act


def _until_closed(handler: Handler, seconds: float) -> None:
    handler.connection.settimeout(seconds)
    try:
        handler.connection.recv(1)
    except OSError:
        pass
