"""What clients give in their sessions: secrets, agents, logins, archives, exporters."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tests.daemon.client.files import upload
from tests.daemon.client.offers import Agents, Auth, Exporters, Secrets
from tests.daemon.client.serving import Context, Offer
from tests.daemon.sessions.conftest import OpenSession
from tests.daemon.sessions.playing import Clients, Front
from tests.runtime.registry.behaving import Registry
from tests.runtime.registry.images import Image, tar

from pybuild.compiler.protos import exporter_pb2, filesync_pb2, secrets_pb2
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.clients.client import Workplace
from pybuild.runtime.clients.sessionclient import SessionClient
from pybuild.runtime.content.store import Store
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.errors import AccessDenied
from pybuild.runtime.session.calls import CallFailed, SessionLost
from pybuild.runtime.session.forward import Forward
from pybuild.runtime.session.secrets import MAX_SIZE
from pybuild.runtime.session.sessionexporters import finalize_export, find_exporters
from pybuild.runtime.solver.types import Cancellation

MakeClient = Callable[..., SessionClient]


@pytest.fixture
def make(store: Store, open_session: OpenSession) -> Iterator[MakeClient]:
    """A build's client that offers this in its session; no session without an offer."""
    made: list[SessionClient] = []

    def make(*offers: Offer, id: str = "one") -> SessionClient:
        clients = Clients()
        if offers:
            clients.open["one"] = open_session(*offers)
        client = SessionClient(clients, id, Cancellation())
        client.enter(Workplace(store, None, Observer()))
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


# Secrets


def test_secrets(make: MakeClient) -> None:
    secrets = Secrets({"a": b"\0value", "empty": b"", "big": b"x" * (MAX_SIZE + 1)})
    client = make(secrets.offer())
    for _ in range(2):
        assert client.secrets.get("a") == b"\0value"
        assert client.secrets.get("empty") == b""
        assert client.secrets.get("missing") is None
    assert secrets.asked == ["a", "empty", "missing"]
    with pytest.raises(UserError, match="secret big too big"):
        client.secrets.get("big")


def test_no_secrets_are_offered(make: MakeClient) -> None:
    assert make(Exporters([]).offer()).secrets.get("a") is None
    assert make(id="").secrets.get("a") is None
    with pytest.raises(SessionLost, match="no active session for one: context deadline exceeded"):
        make().secrets.get("a")


def test_a_client_that_can_not_give_a_secret(make: MakeClient) -> None:
    def fail(request: secrets_pb2.GetSecretRequest, context: Context) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, f"no right to {request.ID}")

    client = make(Offer(secrets_pb2.DESCRIPTOR.services_by_name["Secrets"], {"GetSecret": fail}))
    with pytest.raises(CallFailed, match="no right to a"):
        client.secrets.get("a")


# Agents


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """A socket that answers each piece of bytes with the same in capitals."""
    path = tmp_path / "agent"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer(one: socket.socket) -> None:
        with one:
            while data := one.recv(1 << 16):
                one.sendall(data.upper())

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(one,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def said(path: str, *pieces: bytes) -> list[bytes]:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(path)
        answers = []
        for piece in pieces:
            one.sendall(piece)
            data = b""
            while len(data) < len(piece):
                data += one.recv(1 << 16)
            answers.append(data)
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
        return answers


def test_an_agent(make: MakeClient, agent: Path, tmp_path: Path) -> None:
    agents = Agents({"default": agent, "mine": agent})
    client = make(agents.offer())
    path = client.agents.socket("")
    assert path is not None
    assert client.agents.socket("default") == path
    assert client.agents.socket("mine") not in (None, path)
    assert agents.checked == ["default", "mine"]
    big = b"x" * 300_000
    assert said(path, b"one", big, b"two") == [b"ONE", big.upper(), b"TWO"]
    forward = Forward(str(tmp_path / "step"), path, uid=-1, gid=-1, mode=0o600, raw=client.agents.raw(""))
    assert said(forward.path, b"three") == [b"THREE"]
    forward.close()
    client.close()
    assert not Path(path).exists()


def test_an_agent_that_is_not_there(make: MakeClient, tmp_path: Path, agent: Path) -> None:
    client = make(Agents({"other": agent}).offer())
    assert client.agents.socket("mine") is None
    assert client.agents.missing("mine") == "unset ssh forward key mine"
    for client in (make(Exporters([]).offer()), make(id="")):
        assert client.agents.socket("") is None
        assert client.agents.missing("") == 'no SSH key "default" forwarded from the client'


def test_an_agent_that_fails_ends_its_connection(make: MakeClient, tmp_path: Path) -> None:
    client = make(Agents({"default": tmp_path / "nobody"}).offer())
    path = client.agents.socket("")
    assert path is not None
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(path)
        assert one.recv(1) == b""


# Registries


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    registry.auth, registry.user = "token", ("ann", "s3cret")
    Image(tar(a=b"1")).serve(registry, "app", "v1")
    yield registry
    registry.close()


class Authority(Auth):
    """A client that fetches tokens itself; `key` is what it gives for its public key."""

    key = bytes(32)

    def _authority(  # type: ignore[override]
        self, request: filesync_pb2.GetTokenAuthorityRequest, context: Context
    ) -> filesync_pb2.GetTokenAuthorityResponse:
        assert len(request.Salt) == 32
        return filesync_pb2.GetTokenAuthorityResponse(PublicKey=self.key)


def resolved(client: SessionClient, registry: Registry) -> str:
    with Client(credentials=client.credentials) as registries:
        repository = registries.repository(registry.host, "app")
        repository.resolve("v1")
        return repository.resolve("v1")[0].digest


def test_a_login(make: MakeClient, registry: Registry) -> None:
    auth = Auth({registry.host: ("ann", "s3cret")})
    assert resolved(make(auth.offer()), registry)
    assert auth.asked == [registry.host]
    [asked] = registry.seen("GET", "/token")
    assert asked.query["account"] == ["ann"]


def test_an_identity_token(make: MakeClient, registry: Registry) -> None:
    registry.refresh = "identity"
    assert resolved(make(Auth({registry.host: ("", "identity")}).offer()), registry)
    assert len(registry.seen("POST", "/token")) == 1


def test_no_login(make: MakeClient, registry: Registry) -> None:
    for client in (make(Auth().offer()), make(Exporters([]).offer()), make(id="")):
        with pytest.raises(AccessDenied):
            resolved(client, registry)
        registry.public = {"app"}
        assert resolved(client, registry)
        registry.public = set()


def test_docker_hub_is_asked_for_by_the_name_of_its_registry(make: MakeClient) -> None:
    auth = Auth({"registry-1.docker.io": ("ann", "s3cret")})
    client = make(auth.offer())
    assert client.credentials is not None
    found = client.credentials.find("docker.io", "library/busybox").credential
    assert found is not None
    assert (found.user, found.secret) == ("ann", "s3cret")
    assert auth.asked == ["registry-1.docker.io"]


def test_a_client_that_fetches_tokens(make: MakeClient, registry: Registry) -> None:
    asked: list[filesync_pb2.FetchTokenRequest] = []

    def fetch(request: filesync_pb2.FetchTokenRequest) -> str:
        asked.append(request)
        registry.tokens["mine"] = {"app:pull"}
        return "mine"

    auth = Authority({registry.host: ("ann", "s3cret")}, fetch)
    assert resolved(make(auth.offer()), registry)
    (one,) = asked
    assert (one.ClientID, one.Host, one.Service) == ("buildkit-client", registry.host, "test")
    assert one.Realm.endswith("/token")
    assert list(one.Scopes) == ["repository:app:pull"]
    assert auth.asked == []
    assert registry.seen("GET", "/token") == []


def test_an_authority_that_is_none(make: MakeClient, registry: Registry) -> None:
    """One that says it isn't available is not used, one without a key is refused."""
    auth = Auth({registry.host: ("ann", "s3cret")}, lambda request: "never")
    assert resolved(make(auth.offer()), registry)
    authority = Authority({}, lambda request: "never")
    authority.key = b"short"
    with pytest.raises(UserError, match="invalid pubkey length 5"):
        resolved(make(authority.offer()), registry)


# Archives and exporters


def test_an_archive(make: MakeClient) -> None:
    client = make(upload({"mine": b"x" * 100_000}))
    assert b"".join(client.upload("/mine")) == b"x" * 100_000
    with pytest.raises(CallFailed, match="no archive 'other'"):
        list(client.upload("/other"))
    with pytest.raises(UserError, match="no active sessions"):
        make(id="").upload("/mine")


def test_exporters_of_a_client(open_session: OpenSession) -> None:
    wanted = exporter_pb2.ExporterRequest(Type="oci", Attrs={"name": "a"})
    exporters = Exporters([wanted])
    session = open_session(exporters.offer())
    assert find_exporters(session, {"key": b"\xff"}, ["ref"]) == [("oci", {"name": "a"})]
    assert dict(exporters.found[0].metadata) == {"key": b"\xff"}
    assert list(exporters.found[0].refs) == ["ref"]
    finalize_export(session, {"digest": "sha256:…"})
    assert exporters.responses == [{"digest": "sha256:…"}]
    other = open_session(Secrets({}).offer())
    assert find_exporters(other, {}) == []
    finalize_export(other, {})


def test_a_build_that_ends_ends_its_calls(front: Front, open_session: OpenSession) -> None:
    over, begun = threading.Event(), threading.Event()

    def hang(request: object, context: Context) -> secrets_pb2.GetSecretResponse:
        begun.set()
        over.wait(10)
        return secrets_pb2.GetSecretResponse()

    cancellation = Cancellation()
    service = secrets_pb2.DESCRIPTOR.services_by_name["Secrets"]
    session = open_session(Offer(service, {"GetSecret": hang}))
    client = SessionClient(front.calls, session.id, cancellation)

    def cancel() -> None:
        begun.wait(10)
        cancellation.cancel()

    threading.Thread(target=cancel).start()
    for _ in range(2):
        with pytest.raises(SessionLost, match=f"no active session for {session.id}"):
            client.secrets.get("a")
        over.set()
