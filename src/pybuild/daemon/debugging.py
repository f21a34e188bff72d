"""The daemon's debug server at `--debugaddr`, over HTTP.

/debug/vars               numbers, as JSON
/metrics                  the same as Prometheus reads them
/debug/pprof/goroutine    what each thread and task is doing, as text
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import traceback
from contextlib import suppress

from pybuild.daemon import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Numbers = Callable[[], Mapping[str, int]]

TIMEOUT = 10.0
"""Seconds that a request may take."""
_LONGEST = 8192
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Debugging:
    """The HTTP server. `numbers` returns the daemon's own metrics, by name."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._server: asyncio.Server | None = None
        self._path = ""

    async def listen(self, text: str) -> None:
        """Listen at `unix://PATH`, `tcp://HOST:PORT` or `HOST:PORT`. Raises UsageError, OSError."""
        place = addresses.parse(text if "://" in text else f"tcp://{text}")
        if place.kind == addresses.UNIX:
            addresses.remove_stale_socket(place.place)
            self._server = await asyncio.start_unix_server(self._answer, place.place, limit=_LONGEST)
            os.chmod(place.place, 0o600)
            self._path = place.place
        else:
            host, _, port = place.place.rpartition(":")
            self._server = await asyncio.start_server(
                self._answer, host.strip("[]") or None, int(port), limit=_LONGEST
            )

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._server is not None:
            self._server.close()
        if self._path:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self._path = ""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(TIMEOUT):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._response(head))
                    await writer.drain()
        finally:
            writer.close()

    def _response(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        path = words[1].partition(b"?")[0].decode("latin-1") if len(words) == 3 else ""
        pages = {"/debug/vars": self._vars, "/metrics": self._metrics, "/debug/pprof/goroutine": stacks}
        if words[0] != b"GET" or path not in pages:
            status, kind, body = "404 Not Found", "text/plain", "there are: " + " ".join(pages) + "\n"
        else:
            kind = "application/json" if path == "/debug/vars" else "text/plain; version=0.0.4"
            status, body = "200 OK", pages[path]()
        data = body.encode("utf-8", "replace")
        lines = (
            f"HTTP/1.1 {status}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(data)}",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode() + data

    def _values(self) -> dict[str, int]:
        with open("/proc/self/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * _PAGE
        process = {
            "resident_bytes": resident,
            # Less the descriptor that lists them.
            "descriptors": len(os.listdir("/proc/self/fd")) - 1,
            "threads": threading.active_count(),
        }
        return {**self._numbers(), **process}

    def _vars(self) -> str:
        return json.dumps(self._values()) + "\n"

    def _metrics(self) -> str:
        return "".join(
            f"# TYPE buildkitd_{name} gauge\nbuildkitd_{name} {value}\n"
            for name, value in self._values().items()
        )


def stacks() -> str:
    """Return the stacks of all threads, and of all tasks of the running loop."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    threads = [
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    ]
    tasks = [f"{task.get_name()}:\n{''.join(_await_chain(task.get_coro()))}" for task in asyncio.all_tasks()]
    return "\n".join((*threads, *tasks))


def _await_chain(waiting: object) -> Iterator[str]:
    """Return a line for each coroutine in a chain of awaits. gRPC's compiled coroutines have no frames."""
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        yield f"  {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}\n"
        waiting = getattr(waiting, "cr_await", None)
