"""The client against a registry that misbehaves on command."""

from __future__ import annotations

import json
import time

import pytest
from tests.runtime.registry.behaving import Handler, Registry, digest_of
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, index_of, tar

from pybuild.lang.diagnostics import Cancelled, render
from pybuild.runtime.content.blobs import DigestMismatch
from pybuild.runtime.content.store import Store
from pybuild.runtime.image.descriptor import OCI_LAYER, OCI_MANIFEST, Descriptor
from pybuild.runtime.registry import errors, transport
from pybuild.runtime.registry.client import Client, Repository
from pybuild.runtime.registry.hosts import RegistryConfig

DATA = bytes(range(256)) * 4096  # 1 MiB


def blob(data: bytes = DATA) -> Descriptor:
    return Descriptor(OCI_LAYER, digest_of(data), len(data))


def fetch(store: Store, repository: Repository, descriptor: Descriptor) -> bytes:
    with store.blobs.writer(resume=descriptor.digest) as writer:
        repository.fetch(descriptor, writer)
        writer.commit(descriptor.digest)
    return store.blobs.read(descriptor.digest)


def text(error: pytest.ExceptionInfo[errors.RegistryError]) -> str:
    return render(error.value.diagnostic)


# Manifests.


def test_a_tag_resolves_by_head_alone(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    found, data = client.repository(behaving.host, "app").resolve("v1")
    assert (found, data) == (image.manifest, None)
    assert not behaving.seen("GET", "manifests")


def test_a_head_without_a_digest_is_followed_by_a_get(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    behaving.once("HEAD", "manifests", lambda h: h.reply(200, Content_Type=OCI_MANIFEST))
    found, data = client.repository(behaving.host, "app").resolve("v1")
    assert found == image.manifest
    assert data == image.blobs[found.digest]


def test_a_manifest_served_without_a_type_is_recognised(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    behaving.tag("app", "v1", "application/octet-stream", image.blobs[image.manifest.digest])
    found, _ = client.repository(behaving.host, "app").manifest("v1")
    assert found == image.manifest


def test_a_missing_tag(behaving: Registry, client: Client) -> None:
    with pytest.raises(errors.NotFound, match=f"app:v9 was not found on {behaving.host}"):
        client.repository(behaving.host, "app").resolve("v9")


def test_a_missing_repository(behaving: Registry, client: Client) -> None:
    behaving.rules.append(lambda h: h.path.startswith("/v2/no/") and h.error(404, "NAME_UNKNOWN"))
    with pytest.raises(errors.NotFound, match="the repository no was not found"):
        client.repository(behaving.host, "no").resolve("v1")


@pytest.mark.parametrize("declared", ["a digest in the name", "a digest in the answer"])
def test_a_manifest_with_the_wrong_digest(behaving: Registry, client: Client, declared: str) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    table = behaving.manifests["app"]
    media_type, data = table["v1"]
    other = "sha256:" + "1" * 64
    table[other] = (media_type, data)
    reference = other if "name" in declared else "v1"
    behaving.once(
        "GET",
        "manifests",
        lambda h: h.reply(200, data, Content_Type=media_type, Docker_Content_Digest=other),
    )
    with pytest.raises(DigestMismatch):
        client.repository(behaving.host, "app").manifest(reference)


def test_schema_1_is_refused_by_name(behaving: Registry, client: Client) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    behaving.tag("app", "old", kind, b'{"schemaVersion": 1, "fsLayers": []}')
    with pytest.raises(errors.BadContent, match="obsolete schema 1"):
        client.repository(behaving.host, "app").resolve("old")


def test_a_manifest_that_is_also_an_index_is_refused(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"), manifests=[])
    image.serve(behaving, "app", "v1")
    with pytest.raises(errors.BadContent, match="both an index and a manifest"):
        client.repository(behaving.host, "app").manifest("v1")


def test_an_endless_manifest_is_cut_off(behaving: Registry, client: Client) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", OCI_MANIFEST)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b" " * (1 << 20))
        handler.close_connection = True

    behaving.once("GET", "manifests", endless)
    with pytest.raises(errors.BadContent, match="longer than"):
        client.repository(behaving.host, "app").manifest("v1")


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_for_people_is_no_registry(behaving: Registry, client: Client, status: int) -> None:
    page = b"<html>Welcome</html>"
    behaving.rules.append(lambda h: "/v2/app" in h.path and h.reply(status, page, Content_Type="text/html"))
    with pytest.raises(errors.ServerFailure, match="answered with text/html instead"):
        client.repository(behaving.host, "app").resolve("v1")


# Failures that pass.


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(behaving: Registry, client: Client, status: int) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    behaving.once("HEAD", "manifests", lambda h: h.error(status, "UNAVAILABLE"), times=3)
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest
    assert len(behaving.seen("HEAD", "manifests")) == 4


def test_retry_after_is_obeyed(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    behaving.once("HEAD", "manifests", lambda h: h.error(429, "TOOMANYREQUESTS", Retry_After="1"))
    start = time.monotonic()
    client.repository(behaving.host, "app").resolve("v1")
    assert 1.0 <= time.monotonic() - start < 15


def test_a_limit_that_lasts(behaving: Registry, client: Client) -> None:
    behaving.once(
        "HEAD", "manifests", lambda h: h.error(429, "TOOMANYREQUESTS", "slow", Retry_After="9999"), 9
    )
    with pytest.raises(errors.TooManyRequests) as caught:
        client.repository(behaving.host, "app").resolve("v1")
    assert "try again in 9999 s, or log in with `docker login 127.0.0.1" in text(caught)
    assert len(behaving.seen("HEAD", "manifests")) == 1


def test_failures_that_last_are_bounded(behaving: Registry, client: Client) -> None:
    behaving.once("GET", "manifests", lambda h: h.error(503, "UNAVAILABLE", "down for repair"), times=99)
    with pytest.raises(errors.ServerFailure) as caught:
        client.repository(behaving.host, "app").manifest("v1")
    assert "failed with status 503" in text(caught)
    assert "down for repair" in text(caught)
    assert len(behaving.seen("GET", "manifests")) == transport.ATTEMPTS


def test_a_reset_connection_is_tried_again(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    behaving.once("HEAD", "manifests", Handler.reset, times=2)
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest


def test_waiting_can_be_cancelled(behaving: Registry, client: Client) -> None:
    behaving.once("HEAD", "manifests", lambda h: h.error(429, "TOOMANYREQUESTS", Retry_After="30"))
    start = time.monotonic()
    repository = client.repository(behaving.host, "app", cancelled=lambda: time.monotonic() > start + 0.2)
    with pytest.raises(Cancelled):
        repository.resolve("v1")
    assert time.monotonic() - start < 5


def test_terminal_codes_in_a_message_are_blanked(behaving: Registry, client: Client) -> None:
    behaving.once("GET", "manifests", lambda h: h.error(403, "DENIED", "\x1b[2Jno\nway"))
    with pytest.raises(errors.AccessDenied) as caught:
        client.repository(behaving.host, "app").manifest("v1")
    assert "DENIED:  [2Jno way" in text(caught)


# Blobs.


def test_a_blob(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    assert fetch(store, client.repository(behaving.host, "app"), blob()) == DATA


def cut(after: int):  # type: ignore[no-untyped-def]
    """Serve the blob's start (of the range asked for) and break the connection."""

    def answer(handler: Handler) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        handler.send_header("Content-Length", str(len(DATA) - start))
        handler.end_headers()
        handler.wfile.write(DATA[start : start + after])
        handler.wfile.flush()
        handler.close_connection = True

    return answer


def test_a_truncated_blob_is_taken_up_where_it_ended(
    behaving: Registry, client: Client, store: Store
) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", cut(400_000), times=2)
    assert fetch(store, client.repository(behaving.host, "app"), blob()) == DATA
    first, *others = behaving.seen("GET", "blobs")
    assert "range" not in first.headers
    starts = [int(r.headers["range"].removeprefix("bytes=").rstrip("-")) for r in others]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(DATA)


def test_a_blob_is_taken_up_by_the_next_process(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", cut(300_000), times=1)
    behaving.once("GET", "blobs", lambda h: h.error(404, "BLOB_UNKNOWN"), times=1)
    repository = client.repository(behaving.host, "app")
    with pytest.raises(errors.NotFound, match="is missing from app"):
        fetch(store, repository, blob())
    assert fetch(store, repository, blob()) == DATA
    assert behaving.seen("GET", "blobs")[-1].headers["range"] != "bytes=0-"


def test_a_server_without_ranges_starts_over(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", cut(400_000), times=1)
    behaving.once("GET", "blobs", lambda h: h.reply(200, DATA))
    assert fetch(store, client.repository(behaving.host, "app"), blob()) == DATA


def test_a_range_that_begins_elsewhere_is_not_used(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", cut(400_000), times=1)
    behaving.once(
        "GET", "blobs", lambda h: h.reply(206, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/9")
    )
    assert fetch(store, client.repository(behaving.host, "app"), blob()) == DATA


def test_a_blob_that_never_comes_whole(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", cut(10), times=99)
    with pytest.raises(errors.BadContent, match=r"ended after \d+ of 1048576 bytes"):
        fetch(store, client.repository(behaving.host, "app"), blob())
    assert len(behaving.seen("GET", "blobs")) == transport.ATTEMPTS


def test_a_blob_with_the_wrong_digest_is_not_kept(behaving: Registry, client: Client, store: Store) -> None:
    behaving.add("app", DATA)
    behaving.once("GET", "blobs", lambda h: h.reply(200, DATA[::-1]))
    repository = client.repository(behaving.host, "app")
    with pytest.raises(DigestMismatch):
        fetch(store, repository, blob())
    assert not store.blobs.has(blob().digest)
    assert fetch(store, repository, blob()) == DATA


@pytest.mark.parametrize("stated", [True, False])
def test_a_blob_longer_than_described(behaving: Registry, client: Client, store: Store, stated: bool) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header(*(("Content-Length", str(len(DATA) + 5)) if stated else ("Connection", "close")))
        handler.end_headers()
        handler.wfile.write(DATA + b"12345")
        handler.close_connection = True

    behaving.add("app", DATA)
    behaving.once("GET", "blobs", answer)
    with pytest.raises(errors.BadContent, match=r"has 1048581 bytes|longer than 1048576"):
        fetch(store, client.repository(behaving.host, "app"), blob())


# Redirects.


def test_a_redirect_elsewhere_loses_the_login(
    behaving: Registry, second: Registry, make_client: MakeClient, store: Store
) -> None:
    behaving.auth, behaving.user = "basic", ("ann", "secret")
    behaving.add("app", DATA)
    second.rules.append(lambda h: h.path.startswith("/cdn/") and h.reply(200, DATA))
    location = f"http://{second.host}/cdn/blob?X-Signature=hush"
    client = make_client(
        auth=json.dumps({"auths": {behaving.host: {"username": "ann", "password": "secret"}}})
    )
    repository = client.repository(behaving.host, "app")
    behaving.rules.append(
        lambda h: (
            "authorization" in {k.lower() for k in h.headers}
            and "/blobs/" in h.path
            and h.reply(307, Location=location)
        )
    )
    assert fetch(store, repository, blob()) == DATA
    [request] = second.requests
    assert "authorization" not in request.headers


def test_a_redirect_to_itself_keeps_the_login(
    behaving: Registry, make_client: MakeClient, store: Store
) -> None:
    behaving.auth, behaving.user = "basic", ("ann", "secret")
    behaving.add("app", DATA)
    client = make_client(
        auth=json.dumps({"auths": {behaving.host: {"username": "ann", "password": "secret"}}})
    )
    behaving.once("GET", "blobs", lambda h: h.reply(307, Location=f"/v2/app/blobs/{blob().digest}"))
    assert fetch(store, client.repository(behaving.host, "app"), blob()) == DATA


def test_a_challenge_after_a_redirect_is_not_answered(
    behaving: Registry, second: Registry, make_client: MakeClient, store: Store
) -> None:
    second.auth, second.user = "basic", ("ann", "secret")
    location = f"http://{second.host}/v2/app/blobs/{blob().digest}?signature=hush"
    behaving.rules.append(lambda h: "/blobs/" in h.path and h.reply(307, Location=location))
    login = {"username": "ann", "password": "secret"}
    client = make_client(auth=json.dumps({"auths": {behaving.host: login, second.host: login}}))
    with pytest.raises(
        errors.ServerFailure, match=f"{second.host} answered with an unexpected status 401"
    ) as caught:
        fetch(store, client.repository(behaving.host, "app"), blob())
    assert "hush" not in text(caught)
    assert ["authorization" in request.headers for request in second.requests] == [False]


def test_redirects_without_end(behaving: Registry, client: Client) -> None:
    behaving.rules.append(lambda h: "/manifests/" in h.path and h.reply(307, Location=h.path))
    with pytest.raises(errors.ServerFailure, match="redirects without end"):
        client.repository(behaving.host, "app").manifest("v1")


# Connections.


def test_nobody_listens(client: Client) -> None:
    with pytest.raises(errors.Unreachable, match=r"cannot connect to 127.0.0.1:1: connection refused"):
        client.repository("127.0.0.1:1", "app").resolve("v1")


def test_a_name_that_does_not_resolve(client: Client) -> None:
    with pytest.raises(errors.Unreachable, match=r"cannot connect to no-such-host\.invalid: "):
        client.repository("no-such-host.invalid", "app").resolve("v1")


def test_tls_to_a_plain_registry_says_what_to_set(behaving: Registry, make_client: MakeClient) -> None:
    ca = RegistryConfig(behaving.host, ca=["/etc/ssl/certs/ca-certificates.crt"])
    with pytest.raises(errors.Unreachable) as caught:
        make_client(ca).repository(behaving.host, "app").resolve("v1")
    assert "does not speak TLS" in text(caught)
    assert f"`http = true` for {behaving.host}" in text(caught)


# Uploads of manifests.


def test_an_index_before_its_manifests_is_refused(behaving: Registry, client: Client) -> None:
    image = Image(tar(a=b"1"))
    descriptor, data = index_of(image.entry)
    with pytest.raises(errors.ServerFailure, match="did not take the manifest app:v1") as caught:
        client.repository(behaving.host, "app").put_manifest("v1", descriptor.media_type, data)
    assert "MANIFEST_BLOB_UNKNOWN" in text(caught)


def test_a_read_only_registry(behaving: Registry, client: Client) -> None:
    behaving.rules.append(lambda h: h.command == "PUT" and h.error(405, "UNSUPPORTED"))
    with pytest.raises(errors.ServerFailure, match="does not accept pushes to app"):
        client.repository(behaving.host, "app").put_manifest("v1", OCI_MANIFEST, b"{}")
