"""HTTP for registries, on urllib3: connection pools, TLS, proxies, redirects, retries.

A request is tried again when its connection breaks, and on 429 and 5xx, at most `ATTEMPTS` times with growing
pauses; `Retry-After` is obeyed up to `LONGEST_WAIT`. One that hangs is given up (`Patience`). An Authorization
header never follows a redirect to another origin. Everything that fails is a `RegistryError`; urllib3's own
exceptions, which may hold URLs with signatures, never leave this file.
"""

from __future__ import annotations

import os

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.answers import Address, joined, quoted, retry_after
from pybuild.runtime.registry.errors import RegistryError, Unreachable
from pybuild.runtime.registry.hosts import Hosts, is_loopback
from pybuild.runtime.registry.proxy import Proxy, proxy_for
from pybuild.runtime.registry.tls import certificate_directories, tls_context
from pybuild.runtime.registry.waiting import Patience, Watch, wait, watched_pools

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    import urllib3

    T = TypeVar("T")

ATTEMPTS = 5
LONGEST_WAIT = 60.0
REDIRECTS = 10
CHUNK = 128 << 10
DRAINED = 64 << 10
"""Bytes of an unwanted body worth reading to keep a connection."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class Response:
    """A response whose body has not been read. Close it, or read it to the end."""

    __slots__ = ("_raw", "_watch", "headers", "host", "status", "url")

    def __init__(self, raw: urllib3.BaseHTTPResponse, watch: Watch, url: str) -> None:
        self._raw = raw
        self._watch = watch
        self.host = watch.host
        self.url = url
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers

    def challenges(self) -> list[str]:
        """Every WWW-Authenticate header."""
        return list(self._raw.headers.getlist("WWW-Authenticate"))

    @property
    def content_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, not decoded. Raises Unreachable when it breaks off, Cancelled."""
        try:
            while True:
                with _translated(self._watch):
                    data = self._raw.read(CHUNK, decode_content=False)
                if not data:
                    return
                yield data
        finally:
            self.close()

    def read(self, limit: int, what: str) -> bytes:
        """Return the whole body. Raises BadContent beyond `limit` bytes, Unreachable when it breaks off."""
        out = bytearray()
        for data in self.chunks():
            out += data
            if len(out) > limit:
                raise errors.too_long(self.host, what, limit)
        return bytes(out)

    def close(self) -> None:
        """Idempotent. A long unread body costs the connection."""
        left = getattr(self._raw, "length_remaining", None)
        if left is not None and 0 < left <= DRAINED:
            with self._watch:
                self._raw.drain_conn()
        if self._raw.closed:
            self._raw.release_conn()
        else:
            self._raw.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _translated:
    """A context under a watch that turns the exceptions of urllib3 and of what it stands on into
    RegistryErrors."""

    __slots__ = ("watch",)

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def __enter__(self) -> None:
        self.watch.__enter__()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.watch.__exit__()
        if error is None or isinstance(error, RegistryError):
            return
        import http.client

        import urllib3.exceptions

        if isinstance(error, (urllib3.exceptions.HTTPError, OSError)):
            raise _explain(error, self.watch) from None
        if isinstance(error, (http.client.HTTPException, ValueError)):
            raise errors.bad_answer(self.watch.host, f"no HTTP ({type(error).__name__})") from None


class Transport:
    """Connection pools shared by everything a process asks of registries. Thread-safe. Close it.

    With `web` the servers are any: certificates are checked on loopback too, and a redirect may lead from HTTPS
    to HTTP. `tell` gets a line about a request that hangs.
    """

    def __init__(
        self,
        hosts: Hosts,
        *,
        environ: Mapping[str, str] | None = None,
        certificates: Sequence[str] | None = None,
        first_pause: float = 0.3,
        web: bool = False,
        patience: Patience | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        from threading import Lock

        self.hosts = hosts
        self._environ = os.environ if environ is None else environ
        self._certificates = certificate_directories() if certificates is None else certificates
        self.first_pause = first_pause
        self._web = web
        self.patience = patience or Patience()
        self._tell = tell
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._lock = Lock()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None = None,
        *,
        attempts: int = ATTEMPTS,
        silence: float | None = None,
        answer: float | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Response:
        """Return the final response: no redirect, and no status of `RETRIED` unless every attempt gave one.
        `body` makes a new body for each attempt; `silence` and `answer` are those of `Watch`. Raises Unreachable,
        ServerFailure (redirects, addresses), Cancelled."""

        def watch(host: str, url: str) -> Watch:
            return Watch(
                host,
                f"{method} {errors.shown_url(url)}",
                self.patience,
                silence=silence,
                answer=answer,
                cancelled=cancelled,
                tell=self._tell,
            )

        for attempt in range(1, attempts + 1):
            pause = self.first_pause * 2 ** (attempt - 1) * _jitter()
            try:
                response = self._follow(method, url, headers, body, watch)
            except Unreachable as error:
                if attempt == attempts or not error.transient:
                    raise
            else:
                asked = retry_after(response.headers)
                too_long = asked is not None and asked > LONGEST_WAIT
                if response.status not in RETRIED or attempt == attempts or too_long:
                    return response
                response.close()
                pause = pause if asked is None else max(asked, 0.01)
            wait(pause, cancelled)
        raise AssertionError("unreachable")

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None,
        watch: Callable[[str, str], Watch],
    ) -> Response:
        try:
            first = address = Address(quoted(url))
        except ValueError as error:
            raise errors.bad_address(str(error)) from None
        for _ in range(REDIRECTS):
            response = self._exchange(method, address, headers, body, watch)
            location = response.headers.get("Location")
            # 301 to 303 may turn other methods into GET (RFC 9110, section 15.4): those are not followed.
            follows = (301, 302, 303, 307, 308) if method in ("GET", "HEAD") else (307, 308)
            if response.status not in follows or not location:
                return response
            response.close()
            try:
                target = joined(address.url, location)
            except ValueError as error:
                raise errors.bad_answer(address.host, str(error), url=address.url) from None
            # Registries redirect to storage with signed URLs: the login is not for that server, and some
            # refuse it.
            if (address.scheme, address.netloc) != (target.scheme, target.netloc):
                headers = {k: v for k, v in headers.items() if k.lower() != "authorization"}
                self._check_downgrade(address, target)
            address = target
        raise errors.too_many_redirects(first.host, first.url)

    def _check_downgrade(self, address: Address, target: Address) -> None:
        trusted = self._web or self.hosts.config(address.host).insecure or is_loopback(address.host)
        if target.scheme == "http" and address.scheme == "https" and not trusted:
            raise errors.bad_redirect(address.host, target.url)

    def _exchange(
        self,
        method: str,
        address: Address,
        headers: Mapping[str, str],
        body: Callable[[], Iterable[bytes]] | None,
        watch: Callable[[str, str], Watch],
    ) -> Response:
        import urllib3

        pool = self._pool(address.scheme, address.host)
        watching = watch(address.host, address.url)
        with _translated(watching):
            raw = pool.request(
                method,
                address.url,
                # identity: digests and sizes are of the bytes as they are stored.
                headers={"User-Agent": "pybuild", "Accept-Encoding": "identity", **headers},
                body=body() if body is not None else None,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(connect=self.patience.connect, read=watching.answer),
            )
        return Response(raw, watching, address.url)

    def _pool(self, scheme: str, host: str) -> urllib3.PoolManager:
        with self._lock:
            key = (scheme, host)
            if key not in self._pools:
                self._pools[key] = self._make_pool(scheme, host, proxy_for(scheme, host, self._environ))
            return self._pools[key]

    def _make_pool(self, scheme: str, host: str, proxy: Proxy | None) -> urllib3.PoolManager:
        import urllib3

        settings: dict[str, object] = {"num_pools": 2, "maxsize": 8}
        if scheme == "https":
            endpoint = self.hosts.origin(host)
            verify = self._web or endpoint.checks_certificates
            if not verify:
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            settings["ssl_context"] = tls_context(
                host, endpoint.config, verify=verify, directories=self._certificates
            )
            settings["cert_reqs"] = "CERT_REQUIRED" if verify else "CERT_NONE"
            settings["assert_hostname"] = None if verify else False
        if proxy is None:
            manager = urllib3.PoolManager(**settings)  # type: ignore[arg-type]
        else:
            login = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else None
            manager = urllib3.ProxyManager(proxy.url, proxy_headers=login, **settings)  # type: ignore[arg-type]
        manager.pool_classes_by_scheme = watched_pools()
        return manager

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            for manager in self._pools.values():
                for key in list(manager.pools.keys()):
                    manager.pools[key].close()
            self._pools.clear()


def lasting(
    act: Callable[[], T], first_pause: float, cancelled: Callable[[], bool] | None, attempts: int = ATTEMPTS
) -> T:
    """Return what `act` returns, which sends a request and reads the answer whole; called again when the
    answer breaks off."""
    for attempt in range(1, attempts):
        try:
            return act()
        except Unreachable as error:
            if not error.transient:
                raise
        wait(first_pause * 2 ** (attempt - 1) * _jitter(), cancelled)
    return act()


def _jitter() -> float:
    from random import random

    return 0.75 + random() / 2


def _explain(error: BaseException, watch: Watch) -> RegistryError:
    from socket import EAI_AGAIN, gaierror

    from urllib3 import exceptions as http

    host = watch.host
    if isinstance(error, http.NameResolutionError):
        cause = error.__cause__ or error.__context__
        again = isinstance(cause, gaierror) and cause.errno == EAI_AGAIN
        return _transient(errors.unknown_host(host), again)
    if isinstance(error, http.ProxyError):
        return errors.unreachable(
            host, f"the proxy failed ({_reason(error)})", help="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        )
    if isinstance(error, http.ConnectTimeoutError):
        if isinstance(error, http.NewConnectionError):
            return _no_connection(error, host)
        return errors.silent(host, watch.patience.connect)
    if isinstance(error, http.ReadTimeoutError):
        return errors.silent(host, watch.answer)
    if isinstance(error, http.LocationParseError):
        return errors.bad_address(f"a host that has no address: {host}")
    if isinstance(error, http.NewConnectionError):
        return _no_connection(error, host)
    if isinstance(error, http.SSLError):
        text = str(error)
        plain = any(
            word in text for word in ("WRONG_VERSION", "HTTP_REQUEST", "RECORD_LAYER", "UNKNOWN_PROTO")
        )
        return errors.tls_failure(host, _reason(error), plain=plain)
    return _transient(errors.connection_lost(host, _reason(error)))


def _no_connection(error: BaseException, host: str) -> RegistryError:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ConnectionRefusedError):
        return errors.refused(host)
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no route to it"
    return errors.unreachable(host, reason)


def _transient(error: RegistryError, transient: bool = True) -> RegistryError:
    error.transient = transient
    return error


def _reason(error: BaseException) -> str:
    """Return the innermost cause in a few words, without URLs and addresses of objects."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    original = getattr(error, "original_error", None)
    if isinstance(original, BaseException):
        inner = original
    verify = getattr(inner, "verify_message", "")
    if verify:
        return str(verify)
    if isinstance(inner, OSError) and inner.strerror and not inner.strerror.startswith("["):
        return inner.strerror
    text = str(inner).partition("] ")[2] if str(inner).startswith("[") else str(inner)
    text = text.partition(" (_ssl.c")[0]
    return type(inner).__name__ if not text or "://" in text or " at 0x" in text else text[:120]
