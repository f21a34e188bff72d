"""Waiting for the other side of a connection: told when it is long, bounded, and ended at once by a cancellation.

A socket is never blocked in: it is polled, and between two polls the `Watch` of the request looks at the clock and at
the cancellation. Establishing a connection (names, TCP, TLS, a proxy's tunnel) has no descriptor to poll; it runs in
a thread of its own, which is abandoned if nobody waits for it any more.
"""

from __future__ import annotations

import io
import select
import ssl
from threading import local
from time import monotonic

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.registry import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

TICK = 0.1
"""Seconds between two looks at the cancellation."""


class Patience:
    """How long to wait, in seconds: for a connection, for the next byte in either direction, for that of a manifest,
    for the answer to the request that ends an upload; and until the user is `told`. A transfer that brings less than
    `slowest` bytes a second over `window` seconds of waiting is given up as well."""

    __slots__ = ("commit", "connect", "manifest", "silence", "slowest", "told", "window")

    def __init__(
        self,
        *,
        connect: float = 20.0,
        silence: float = 60.0,
        manifest: float = 180.0,
        commit: float = 600.0,
        told: float = 5.0,
        slowest: int = 1024,
        window: float = 60.0,
    ) -> None:
        self.connect = connect
        self.silence = silence
        self.manifest = manifest
        self.commit = commit
        self.told = told
        self.slowest = slowest
        self.window = window


class Watch:
    """The waiting of one request. `answer` are the seconds until the first byte of the answer, `silence` those
    between any others. `tell` gets a line about what is waited for. As a context it is the watch of what the
    thread sends and receives."""

    def __init__(
        self,
        host: str,
        request: str,
        patience: Patience,
        *,
        silence: float | None = None,
        answer: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.host = host
        self.patience = patience
        self.silence = patience.silence if silence is None else silence
        self.answer = self.silence if answer is None else answer
        self._request = request
        self._cancelled = cancelled
        self._tell = tell
        self._sending = True
        self._waited = 0.0
        self._moved = 0

    def __enter__(self) -> Watch:
        self._outer = getattr(_thread, "watch", None)
        _thread.watch = self
        return self

    def __exit__(self, *_: object) -> None:
        _thread.watch = self._outer

    def wait(self, ready: Callable[[float], bool], limit: float) -> None:
        """Call `ready` with seconds to wait until it is true. Raises TimedOut after `limit` seconds, Cancelled."""
        start = monotonic()
        while not ready(min(TICK, max(limit, 0.001))):
            self.check()
            waited = monotonic() - start
            if waited >= limit:
                raise errors.silent(self.host, limit)
            if waited >= self.patience.told and self._tell is not None:
                self._tell(f"waiting for {self.host}: {self._request}")
                self._tell = None
        self._waited += monotonic() - start

    def readable(self, ready: Callable[[float], bool]) -> None:
        self.wait(ready, self.answer if self._sending else self.silence)

    def writable(self, ready: Callable[[float], bool]) -> None:
        self.wait(ready, self.silence)

    def moved(self, count: int, *, sending: bool) -> None:
        """Count bytes that were sent or received. Raises TimedOut if there were too few of late."""
        if sending is not self._sending:
            self._sending, self._waited, self._moved = sending, 0.0, 0
        self._moved += count
        window = max(self.patience.window, self.silence)
        if self._waited >= window:
            if self._moved < self.patience.slowest * self.patience.window:
                raise errors.too_slow(self.host, self._moved / self._waited, self._waited)
            self._waited, self._moved = 0.0, 0

    def check(self) -> None:
        """Raise Cancelled once the work is cancelled."""
        check(self._cancelled)


_thread = local()


def _watch() -> Watch:
    watch = getattr(_thread, "watch", None)
    return watch if isinstance(watch, Watch) else Watch("the server", "", Patience())


def wait(seconds: float, cancelled: Callable[[], bool] | None) -> None:
    """Sleep. Raises Cancelled as soon as `cancelled` answers true."""
    from time import sleep

    end = monotonic() + seconds
    while True:
        check(cancelled)
        left = end - monotonic()
        if left <= 0:
            return
        sleep(min(left, TICK))


def check(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled


class WatchedSocket:
    """A connected socket whose waiting the thread's watch ends. It has what http.client and urllib3 use."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._files = 0
        self._closing = False

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        watch = _watch()
        watch.check()
        while True:
            try:
                count = self._sock.recv_into(buffer, nbytes)
            except (BlockingIOError, ssl.SSLWantReadError):
                watch.readable(self._ready(select.POLLIN))
            except ssl.SSLWantWriteError:
                watch.writable(self._ready(select.POLLOUT))
            else:
                watch.moved(count, sending=False)
                return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        watch = _watch()
        view = memoryview(data).cast("B")
        while view:
            try:
                count = self._sock.send(view)
            except (BlockingIOError, ssl.SSLWantWriteError):
                watch.writable(self._ready(select.POLLOUT))
            except ssl.SSLWantReadError:
                watch.writable(self._ready(select.POLLIN))
            else:
                view = view[count:]
                watch.moved(count, sending=True)

    def _ready(self, event: int) -> Callable[[float], bool]:
        poll = select.poll()
        poll.register(self._sock, event)
        return lambda seconds: bool(poll.poll(seconds * 1000))

    def makefile(self, mode: str = "r", *_: object, **__: object) -> io.BufferedReader:
        self._files += 1
        return io.BufferedReader(_File(self), 1 << 16)

    def settimeout(self, value: float | None) -> None:
        """Do nothing: the watch has the limits."""

    def close(self) -> None:
        """Close it once its files are closed. Idempotent."""
        self._closing = True
        if self._files == 0:
            self._sock.close()

    def file_closed(self) -> None:
        self._files -= 1
        if self._closing:
            self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _File(io.RawIOBase):
    """The received bytes as a file."""

    def __init__(self, sock: WatchedSocket) -> None:
        self._socket: WatchedSocket | None = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0 if self._socket is None else self._socket.recv_into(buffer)

    def fileno(self) -> int:
        return -1 if self._socket is None else int(self._socket.fileno())

    def close(self) -> None:
        sock, self._socket = self._socket, None
        super().close()
        if sock is not None:
            sock.file_closed()


def connect(act: Callable[[], None]) -> None:
    """Call `act`, which establishes a connection. Raises what it raises, TimedOut, Cancelled."""
    from threading import Event, Thread

    watch = _watch()
    done = Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    watch.check()
    thread = Thread(target=run, name="connect", daemon=True)
    thread.start()
    # TCP and TLS have the limit by themselves; looking up names has none.
    watch.wait(done.wait, 2 * watch.patience.connect)
    thread.join()
    if failures:
        raise failures[0]


def watched_pools() -> dict[str, Any]:
    """Return urllib3's pools by scheme, with connections of watched sockets."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Plain(HTTPConnection):
        def connect(self) -> None:
            connect(super().connect)
            self.sock = WatchedSocket(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            connect(super().connect)
            self.sock = WatchedSocket(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
