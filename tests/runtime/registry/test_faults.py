"""Registries that limit, hang, trickle, break off, forget and talk nonsense: tried again, given up, or told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runtime.registry.behaving import Handler, Registry, digest_of
from tests.runtime.registry.conftest import MakeClient
from tests.support import faults

from pybuild.lang.diagnostics import Cancelled, UserError, render
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_MANIFEST, Descriptor
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.client import Repository
from pybuild.runtime.registry.upload import upload
from pybuild.runtime.registry.waiting import Patience

DATA = bytes(range(256)) * 1200
MANIFEST = b'{"schemaVersion":2,"config":{"digest":"sha256:%b","size":1},"layers":[]}' % (b"0" * 64)
QUICK = Patience(silence=0.15, manifest=0.4, commit=0.5, told=0.05, window=0.3)


@pytest.fixture
def repository(behaving: Registry, make_client: MakeClient) -> Repository:
    repository = make_client(patience=QUICK).repository(behaving.host, "app")
    repository.session.origin()
    return repository


def send(repository: Repository, tmp_path: Path, data: bytes = DATA) -> None:
    (tmp_path / "blob").write_bytes(data)
    upload(repository, digest_of(data), str(tmp_path / "blob"))


def arrived(registry: Registry) -> bool:
    return digest_of(DATA) in registry.blobs.get("app", {})


def seconds(act: Callable[[], object]) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start


# Tried again.


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_limited_upload_waits_as_it_is_told(
    behaving: Registry, repository: Repository, tmp_path: Path, method: str
) -> None:
    behaving.once(method, "uploads", faults.limit(1))
    assert seconds(lambda: send(repository, tmp_path)) > 0.9
    assert arrived(behaving)


def test_a_limited_chunk_waits_as_it_is_told(
    behaving: Registry, repository: Repository, tmp_path: Path
) -> None:
    behaving.rules.append(
        lambda h: h.command == "PUT" and int(h.headers["Content-Length"]) > 0 and h.reply(413)
    )
    behaving.once("PATCH", "uploads", faults.limit(1))
    assert seconds(lambda: send(repository, tmp_path)) > 0.9
    assert arrived(behaving)


def test_a_limit_of_hours_is_told_at_once(behaving: Registry, repository: Repository, tmp_path: Path) -> None:
    behaving.once("PUT", "uploads", faults.limit(7200))
    with pytest.raises(errors.TooManyRequests) as caught:
        send(repository, tmp_path)
    assert "try again in 7200 s" in render(caught.value.diagnostic)


def test_a_manifest_that_breaks_off_is_tried_again(behaving: Registry, repository: Repository) -> None:
    digest = behaving.tag("app", "v1", OCI_MANIFEST, MANIFEST)
    behaving.once("GET", "manifests", faults.cut(len(MANIFEST), MANIFEST[:20], Content_Type=OCI_MANIFEST))
    assert repository.manifest("v1")[0].digest == digest
    assert len(behaving.seen("GET", "manifests")) == 2


def test_a_token_that_breaks_off_is_tried_again(behaving: Registry, make_client: MakeClient) -> None:
    behaving.auth = "token"
    behaving.public.add("app")
    digest = behaving.tag("app", "v1", OCI_MANIFEST, MANIFEST)
    behaving.once("GET", "/token", faults.cut(100, b'{"token":'))
    assert make_client().repository(behaving.host, "app").manifest("v1")[0].digest == digest


@pytest.mark.parametrize("method", ["PUT", "PATCH", "GET"])
def test_a_forgotten_upload_is_begun_anew(
    behaving: Registry, repository: Repository, tmp_path: Path, method: str
) -> None:
    if method != "PUT":
        behaving.rules.append(
            lambda h: h.command == "PUT" and int(h.headers["Content-Length"]) > 0 and h.reply(413)
        )
    if method == "GET":
        behaving.once("PATCH", "uploads", Handler.reset)
    behaving.once(method, "uploads", faults.status(404, "BLOB_UPLOAD_UNKNOWN"))
    send(repository, tmp_path)
    assert arrived(behaving)
    assert len(behaving.seen("POST", "uploads")) >= 2


def test_an_upload_whose_answer_is_lost_is_not_sent_again(
    behaving: Registry, repository: Repository, tmp_path: Path
) -> None:
    def taken(handler: Handler) -> None:
        behaving.add("app", handler.body())
        faults.stall(2)(handler)

    behaving.once("PUT", "uploads", taken)
    assert 0.4 < seconds(lambda: send(repository, tmp_path)) < 1.5
    assert len(behaving.seen("PUT", "uploads")) == 1


def test_an_upload_that_is_lost_is_sent_again(
    behaving: Registry, repository: Repository, tmp_path: Path
) -> None:
    behaving.once("PUT", "uploads", faults.stall(2))
    send(repository, tmp_path)
    assert arrived(behaving)


# Given up, and told meanwhile.


def test_a_hanging_request_is_told_and_given_up(behaving: Registry, make_client: MakeClient) -> None:
    lines: list[str] = []
    client = make_client(patience=QUICK, tell=lines.append)
    repository = client.repository(behaving.host, "app")
    repository.session.origin()
    behaving.rules.append(lambda h: bool(faults.stall(2)(h)) or True)
    with pytest.raises(errors.TimedOut, match="no answer"):
        repository.has_blob(digest_of(b""))
    assert lines == [
        f"waiting for {behaving.host}: HEAD http://{behaving.host}/v2/app/blobs/{digest_of(b'')}"
    ]
    assert len(behaving.seen("HEAD")) == 1


def test_a_manifest_may_take_longer(behaving: Registry, repository: Repository) -> None:
    def late(handler: Handler) -> bool:
        time.sleep(0.25)
        return False

    behaving.rules.append(late)
    behaving.tag("app", "v1", OCI_MANIFEST, MANIFEST)
    repository.manifest("v1")
    with pytest.raises(errors.TimedOut):
        repository.has_blob(digest_of(b""))


@pytest.mark.parametrize("fault", [faults.trickle(300_000, 0.02), faults.stall(3, after=b"HTTP/1.1 200 ")])
def test_a_transfer_that_brings_next_to_nothing_is_given_up(
    behaving: Registry, repository: Repository, store: Store, fault: faults.Fault
) -> None:
    behaving.rules.append(lambda h: h.command == "GET" and (bool(fault(h)) or True))
    start = time.monotonic()
    with store.blobs.writer() as writer, pytest.raises(errors.TimedOut):
        repository.fetch(Descriptor("", digest_of(DATA), 300_000), writer)
    assert time.monotonic() - start < 2


def test_a_registry_that_reads_nothing_is_given_up(
    behaving: Registry, repository: Repository, tmp_path: Path
) -> None:
    behaving.once("PUT", "uploads", faults.unread(2))
    with pytest.raises(errors.TimedOut):
        send(repository, tmp_path, bytes(32 << 20))


@pytest.mark.parametrize("fault", [faults.stall(20), faults.trickle(300_000, 0.05)])
def test_a_cancellation_ends_waiting_at_once(
    behaving: Registry, make_client: MakeClient, store: Store, fault: faults.Fault
) -> None:
    stop = threading.Event()
    repository = make_client().repository(behaving.host, "app", cancelled=stop.is_set)
    repository.session.origin()
    behaving.rules.append(lambda h: bool(fault(h)) or True)
    threading.Timer(0.2, stop.set).start()
    start = time.monotonic()
    with store.blobs.writer() as writer, pytest.raises(Cancelled):
        repository.fetch(Descriptor("", digest_of(DATA), 300_000), writer)
    assert time.monotonic() - start < 1


# Nonsense.

NONSENSE = [
    b"",
    b"hello\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000 + b": y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: \x1b[31mred\r\nDocker-Content-Digest: sha256:zz\r\n\r\n{}",
    b"HTTP/1.1 307 Go\r\nLocation: http://[\r\n\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: http://a:b/\r\n\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:99999/\r\n\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: file:///etc/passwd\r\n\r\n",
    b"HTTP/1.1 307 Go\r\nLocation: http://../x\r\n\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"http://[\"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"//\"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 500 + b"\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 No\r\nRetry-After: Mon, 32 Foo 0000\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\n[[[[",
    b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + b"[" * 50_000,
]  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_a_message_that_names_the_server(
    behaving: Registry, repository: Repository, tmp_path: Path, answer: bytes
) -> None:
    behaving.rules.append(lambda h: bool(faults.garbage(answer)(h)) or True)
    for act in (
        lambda: repository.resolve("v1"),
        lambda: repository.manifest("v1"),
        lambda: repository.describe(digest_of(b"")),
        lambda: send(repository, tmp_path),
        lambda: repository.put_manifest("v1", OCI_MANIFEST, MANIFEST),
    ):
        try:
            act()
        except UserError as error:
            text = render(error.diagnostic)
            assert behaving.host in text or "no HTTP address" in text or "127.0.0.1" in text
            assert "\x1b" not in text


@pytest.mark.parametrize(
    "body",
    [b"[" * 50_000, b"{", b"[]", b'{"token": 1}', b'{"token": "a\\u001b"}', b'{"token": {}}', b"\xff"],
)
def test_a_token_server_without_a_token(behaving: Registry, make_client: MakeClient, body: bytes) -> None:
    behaving.auth = "token"
    behaving.rules.append(lambda h: h.path.startswith("/token") and h.reply(200, body))
    with pytest.raises(errors.BadContent, match="the token server of"):
        make_client().repository(behaving.host, "app").resolve("v1")


@pytest.mark.parametrize("life", ["1e999", "NaN", "1" * 400, '"x"', "[]", "-5", "true"])
def test_any_life_of_a_token(behaving: Registry, make_client: MakeClient, life: str) -> None:
    behaving.auth = "token"
    behaving.public.add("app")
    behaving.tag("app", "v1", OCI_MANIFEST, MANIFEST)

    def token(handler: Handler) -> bool:
        if not handler.path.startswith("/token"):
            return False
        behaving.tokens["t"] = {"app:pull"}
        return handler.reply(200, b'{"token": "t", "expires_in": %b}' % life.encode())

    behaving.rules.append(token)
    assert make_client().repository(behaving.host, "app").resolve("v1")[0].digest == digest_of(MANIFEST)
