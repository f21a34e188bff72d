"""Files by HTTP: who is let in, what goes wrong, and what the files are called."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.sources.remote.conftest import Place, http
from tests.runtime.sources.remote.webserver import Handler, Web

from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import Cancelled, UserError, render
from pybuild.runtime.sources import httptransfer
from pybuild.runtime.sources.http import HttpError
from pybuild.runtime.sources.httprequest import HttpRequest, file_name, safe_name


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httptransfer, "PAUSE", 0.01)


# Ways in


def test_secrets_are_headers(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    place.given.values = {"HTTP_AUTH_TOKEN_127.0.0.1": b"token\n"}
    place.download(http(web.url("/f")))
    assert web.asked("/f")[0]["authorization"] == "Bearer token"
    place.given.values = {"HTTP_AUTH_HEADER_127.0.0.1": b"Basic abc"}
    place.again().download(http(web.url("/f"), filename="other"))
    assert web.asked("/f")[1]["authorization"] == "Basic abc"
    place.given.values = {"MINE": b"Own it"}
    place.again().download(http(web.url("/f"), auth_header_secret="MINE"))
    assert web.asked("/f")[2]["authorization"] == "Own it"


def test_a_named_secret_must_be_there_and_be_a_header(place: Place, web: Web) -> None:
    op = http(web.url("/f"), auth_header_secret="MINE")
    with pytest.raises(UserError, match="failed to retrieve HTTP auth secret MINE"):
        place.download(op)
    place.given.values["MINE"] = b"a\r\nHost: evil"
    with pytest.raises(UserError, match="control characters"):
        place.download(op)
    assert not web.seen


def test_a_login_in_the_address_is_sent_and_never_shown(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    url = web.url("/f").replace("://", "://me:p%40ss@")
    place.download(http(url))
    assert web.asked("/f")[0]["authorization"] == "Basic bWU6cEBzcw=="
    with pytest.raises(HttpError) as raised:
        place.download(http(url.replace("/f", "/gone?token=1")))
    assert "p%40ss" not in render(raised.value.diagnostic)
    assert "token" not in render(raised.value.diagnostic)
    stored = b"".join(path.read_bytes() for path in (place.directory / "store").glob("records*"))
    assert b"p%40ss" not in stored


def test_redirects_are_followed_and_other_hosts_get_no_secret(place: Place, web: Web, other: Web) -> None:
    other.files["/target"] = b"x"
    web.rules.append(lambda handler: handler.path == "/a" and handler.redirect("/b"))
    web.rules.append(lambda handler: handler.path == "/b" and handler.redirect(other.url("/target")))
    place.given.values = {"HTTP_AUTH_TOKEN_127.0.0.1": b"token"}
    assert list(place.files(place.download(http(web.url("/a"))))) == ["a"], "the first address names the file"
    assert web.asked("/b")[0]["authorization"] == "Bearer token"
    assert "authorization" not in other.asked("/target")[0]


def test_a_circle_of_redirects_ends(place: Place, web: Web) -> None:
    web.rules.append(lambda handler: handler.redirect("/again"))
    with pytest.raises(HttpError, match="redirects without end"):
        place.download(http(web.url("/a")))


def test_only_two_headers_can_be_set(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    op = http(web.url("/f"), headers={"Accept": "a/b", "User-Agent": "me", "X-Other": "1"})
    place.download(op)
    sent = web.asked("/f")[0]
    assert (sent["accept"], sent["user-agent"], "x-other" in sent) == ("a/b", "me", False)


def test_a_proxy_of_the_environment_is_used(place: Place, web: Web) -> None:
    place.environ["HTTP_PROXY"] = web.url("")
    web.rules.append(lambda handler: handler.answer(200, b"by proxy"))
    snapshot = place.download(http("http://files.example.com/f"))
    assert place.files(snapshot) == {"f": b"by proxy"}
    assert web.seen[0][1] == "http://files.example.com/f"


# What goes wrong


@pytest.mark.parametrize(
    ("status", "help"), [(404, "check the address"), (403, "HTTP_AUTH_TOKEN_127.0.0.1"), (410, "check")]
)
def test_refusals_say_what_to_do(place: Place, web: Web, status: int, help: str) -> None:
    web.rules.append(lambda handler: handler.answer(status, b""))
    with pytest.raises(HttpError) as raised:
        place.download(http(web.url("/f")))
    assert str(raised.value) == f"invalid response status {status}: {web.url('/f')}"
    assert help in render(raised.value.diagnostic)
    assert len(web.seen) == 1


def test_a_server_with_trouble_is_asked_again(place: Place, web: Web) -> None:
    web.files["/f"] = b"x"
    web.rules.append(lambda handler: len(web.seen) < 3 and handler.answer(503, b""))
    assert place.files(place.download(http(web.url("/f")))) == {"f": b"x"}
    web.rules.append(lambda handler: handler.answer(500, b""))
    with pytest.raises(HttpError, match="invalid response status 500") as raised:
        place.download(http(web.url("/g")))
    assert "try again later" in render(raised.value.diagnostic)


DATA = bytes(range(256)) * 4000


def test_a_broken_connection_is_taken_up_where_it_broke(place: Place, web: Web) -> None:
    web.files["/f"] = DATA
    tag = f'"{sha256(DATA).hexdigest()[:16]}"'
    web.rules.append(lambda handler: len(web.seen) == 1 and handler.cut(DATA, 300_000, {"ETag": tag}))
    snapshot = place.download(http(web.url("/f"), checksum=digest(DATA)))
    assert place.files(snapshot) == {"f": DATA}
    assert web.asked("/f")[1]["if-range"] == tag
    assert web.asked("/f")[1]["range"] == "bytes=300000-"


def test_a_file_that_changed_meanwhile_is_begun_again(place: Place, web: Web) -> None:
    web.files["/f"] = b"the other one"
    web.rules.append(lambda handler: len(web.seen) == 1 and handler.cut(DATA, 300_000, {"ETag": '"1"'}))
    op = http(web.url("/f"))
    assert place.files(place.download(op)) == {"f": b"the other one"}
    assert place.http.resolve(op, place.cancellation).digest == digest(b"the other one")


def test_a_file_that_always_breaks_off_is_never_kept(place: Place, web: Web) -> None:
    web.rules.append(lambda handler: handler.cut(DATA, 10, {}))
    with pytest.raises(HttpError, match=r"cannot download .*the connection broke"):
        place.download(http(web.url("/f")))
    assert not [name for name in os.listdir(place.store.work) if name.endswith(".download")]


def test_nobody_there(place: Place, web: Web) -> None:
    url = web.url("/f").replace("://", "://u:secret@")
    web.close()
    with pytest.raises(HttpError, match="connection refused") as raised:
        place.download(http(url))
    assert "secret" not in str(raised.value)
    with pytest.raises(HttpError, match=r"http://nowhere\.invalid/f: the name does not resolve"):
        place.download(http("http://nowhere.invalid/f"))


def test_certificates_are_checked_on_loopback_too(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=x"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    server = Web((certificate, key))
    try:
        server.files["/f"] = b"x"
        with pytest.raises(HttpError, match="certificate was not accepted") as raised:
            place.download(http(server.url("/f")))
        assert "SSL_CERT_FILE" in render(raised.value.diagnostic)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert place.files(place.again().download(http(server.url("/f")))) == {"f": b"x"}
    finally:
        server.close()


def test_cancelling_needs_no_patience(place: Place, web: Web) -> None:
    waiting, over = threading.Event(), threading.Event()

    def hang(handler: Handler) -> bool:
        waiting.set()
        over.wait(60)
        return True

    web.rules.append(hang)

    def cancel() -> None:
        waiting.wait()
        place.cancellation.cancel()

    threading.Thread(target=cancel, daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        place.download(http(web.url("/f")))
    assert time.monotonic() - begun < 30
    over.set()
    assert web.seen


def test_progress_is_told_in_bytes(place: Place, web: Web) -> None:
    web.files["/f"] = b"x" * 3_000_000
    told: list[tuple[int, int]] = []
    place.http.snapshot(http(web.url("/f")), place.cancellation, lambda now, all: told.append((now, all)))
    assert told[-1] == (3_000_000, 3_000_000)
    assert [now for now, _ in told] == sorted(now for now, _ in told)
    assert len(told) > 2


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("http.perm", "rw"),
        ("http.perm", "08"),
        ("http.uid", "-1"),
        ("http.gid", "1e3"),
        ("http.uid", "99999999999"),
    ],
)
def test_attributes_that_are_no_numbers(attribute: str, value: str) -> None:
    with pytest.raises(UserError, match=f"{attribute} of http://h/f is no number"):
        HttpRequest(SourceOp("http://h/f", {attribute: value}))


def test_unknown_attributes_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"does not execute http\.sig\.pubkey of a source"):
        HttpRequest(SourceOp("http://h/f", {"http.sig.pubkey": "x"}))


@pytest.mark.parametrize("url", ["http://", "http:///f", "http://h/a b", "http://u@/f", "http://h/\n"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UserError, match="invalid URL"):
        HttpRequest(SourceOp(url))


# Names


@pytest.mark.parametrize(
    ("url", "header", "name"),
    [
        ("http://h/a/b.txt", "", "b.txt"),
        ("http://h/a/b.txt?c=d/e#f", "", "b.txt"),
        ("http://h/a/", "", "a"),
        ("http://h", "", "download"),
        ("http://h/%41%2f..", "", "download"),
        ("http://h/x", "attachment; filename=y", "y"),
        ("http://h/x", 'inline; filename="../../etc/passwd"', "passwd"),
        ("http://h/x", 'attachment; filename="dir/"', "x"),
        ("http://h/x", "attachment; filename*=UTF-8''%e2%82%ac.txt; filename=e.txt", "€.txt"),
        ("http://h/x", "attachment; filename=plain; filename*=UTF-8''ext", "ext"),
        ("http://h/x", "attachment", "x"),
    ],
)
def test_names(url: str, header: str, name: str) -> None:
    assert file_name(url, {"Content-Disposition": header} if header else None) == name


@given(st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_name_leads_out_of_its_directory(text: str) -> None:
    name = safe_name(text)
    assert name not in ("", ".", "..")
    assert not {"/", "\0"} & set(name)
    assert file_name("http://h/x", {"Content-Disposition": f'attachment; filename="{text}"'})
