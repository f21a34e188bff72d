"""A process that has imported the program and waits to become it.

    python -P server.py SOCKET

Each connection to SOCKET sends a request: eight bytes for the length of what follows, with the three standard streams
as ancillary data, then marshalled `(words, directory, variables)`. A child forked for it goes on as `pybuild WORDS`
would in a fresh interpreter; the server answers with lines of text, the child's process id and, when it ended, its
wait status. The server ends when its standard input does, which whoever started it holds open.
"""

from __future__ import annotations

import atexit
import io
import marshal
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from typing import NoReturn

LENGTH = 8
# What the program imports inside its functions from outside itself.
OUTSIDE = (
    "asyncio.subprocess",
    "backports.zstd",
    "cattrs",
    "concurrent.futures.thread",
    "isal.igzip",
    "rich.console",
    "rich.live",
    "sqlite3",
    "urllib3",
)

SERVING = ("pybuild.sdk.", "pybuild.daemon.")
"""Packages whose programs are no children of this process."""

Request = tuple[list[str], str, dict[str, str]]


class Child(Exception):
    """Carries the request out of the server's loop, so that none of it stays on the child's stack."""

    def __init__(self, request: Request, streams: list[int]) -> None:
        super().__init__()
        self.request = request
        self.streams = streams


class Server:
    def __init__(self, path: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(64)
        self._running: dict[int, tuple[int, socket.socket]] = {}
        """Process id and client of each child, by its pidfd."""

    def serve(self) -> None:
        """Until standard input ends; raises Child in each child."""
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fd in self._running:
                    self._ended(key.fd)
                elif key.fileobj is self._listener:
                    self._start(self._listener.accept()[0])
                else:
                    return

    def _start(self, client: socket.socket) -> None:
        try:
            request, streams = receive(client)
        except (OSError, EOFError, ValueError):
            request, streams = None, []  # the client has died
        if request is None:
            client.close()  # or only wanted to see that the server is there
            return
        child = os.fork()
        if child == 0:
            client.close()
            self._close()
            raise Child(request, streams)
        for stream in streams:
            os.close(stream)
        tell(client, f"{child}\n")
        handle = os.pidfd_open(child)
        self._running[handle] = child, client
        self._selector.register(handle, selectors.EVENT_READ)

    def _ended(self, handle: int) -> None:
        child, client = self._running.pop(handle)
        self._selector.unregister(handle)
        os.close(handle)
        status = os.waitpid(child, 0)[1]
        with client:
            tell(client, f"{status}\n")

    def _close(self) -> None:
        self._selector.close()
        self._listener.close()
        for handle, (_, client) in self._running.items():
            os.close(handle)
            client.close()


def tell(client: socket.socket, line: str) -> None:
    """What a client that has given up isn't told keeps the server from nothing."""
    try:
        client.sendall(line.encode())
    except OSError:
        pass


def receive(client: socket.socket) -> tuple[Request | None, list[int]]:
    head, streams, _, _ = socket.recv_fds(client, LENGTH, 3)
    if not head:
        return None, []
    with client.makefile("rb") as file:
        return marshal.loads(file.read(int.from_bytes(head, "big"))), streams


def become(child: Child) -> None:
    """Take over the streams, directory, variables and words of a request, and all that a fresh interpreter has by
    them."""
    words, directory, variables = child.request
    for number, stream in enumerate(child.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    own = len(search_path(os.environ))
    sys.path[:] = [*search_path(variables), *sys.path[own:]]
    os.environ.clear()
    os.environ.update(variables)
    package = sys.modules["pybuild"].__path__[0]
    sys.argv = [os.path.join(package, "__main__.py"), *words]
    sys.stdin = sys.__stdin__ = stream_of(0)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stream_of(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = stream_of(2)  # type: ignore[misc]
    tempfile.tempdir = None
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import pybuild.replay.signatures

    pybuild.replay.signatures.BEGUN = time.time_ns()


def search_path(variables: Mapping[str, str]) -> list[str]:
    return [entry for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]


def stream_of(number: int) -> io.TextIOWrapper:
    """The stream as the interpreter opens it."""
    raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    buffered = io.BufferedReader(raw) if number == 0 else io.BufferedWriter(raw)
    errors = "backslashreplace" if number == 2 else "surrogateescape"
    return io.TextIOWrapper(buffered, "utf-8", errors, line_buffering=number == 2 or os.isatty(number))


def leave(code: object) -> NoReturn:
    """End as an interpreter does on SystemExit, but without freeing all objects: that is most of the time of a short
    command, since it writes to every page of memory that the child shares with this server."""
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            code = 120  # the interpreter's own, for output that it can't write at its end
    os._exit((code or 0) & 0xFF)


def load() -> None:
    """Import all of the program, and what it imports when it needs it, but gRPC, which no fork may find in use."""
    import gc
    import importlib
    import pkgutil

    import pybuild

    sys.modules["grpc"] = None  # type: ignore[assignment]
    for module in pkgutil.walk_packages(pybuild.__path__, "pybuild."):
        if not module.name.endswith("__main__") and not module.name.startswith(SERVING):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                if error.name != "grpc":
                    raise
    del sys.modules["grpc"]
    for name in OUTSIDE:
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # backports.zstd belongs to the standard library of newer interpreters
    gc.freeze()


if __name__ == "__main__":
    load()
    server = Server(sys.argv[1])
    try:
        server.serve()
    except Child as child:
        become(child)
        del server
    else:
        sys.exit(0)
    from pybuild import main

    try:
        main()
    except SystemExit as end:
        leave(end.code)
    leave(None)
