"""Where requests go: hosts, mirrors, schemes, certificates, proxies."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.registry.behaving import Handler, Registry
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, tar

from pybuild.lang.diagnostics import render
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.client import Client
from pybuild.runtime.registry.credentials import Credentials
from pybuild.runtime.registry.hosts import Hosts, RegistryConfig, has_port, host_name, is_loopback
from pybuild.runtime.registry.proxy import proxy_for
from pybuild.runtime.registry.transport import Transport


def test_docker_hub_lives_elsewhere() -> None:
    [hub] = Hosts().endpoints("docker.io")
    assert (hub.host, hub.schemes, hub.is_mirror) == ("registry-1.docker.io", ("https",), False)


def test_mirrors_in_order() -> None:
    config = RegistryConfig("docker.io", mirrors=["m.example.com/hub/", "http://n:5000", "o.example.com"])
    first, second, third, hub = Hosts([config, RegistryConfig("o.example.com", insecure=True)]).endpoints(
        "docker.io"
    )
    assert first.path("library/app") == "hub/library/app"
    assert (second.host, second.schemes) == ("n:5000", ("http",))
    assert not third.checks_certificates
    assert not hub.is_mirror
    assert first.is_mirror


@pytest.mark.parametrize(
    ("host", "schemes"),
    [
        ("example.com", ("https",)),
        ("example.com:5000", ("https",)),
        ("localhost", ("https", "http")),
        ("localhost:5000", ("http", "https")),
        ("127.9.9.9:80", ("http", "https")),
        ("[::1]:5000", ("http", "https")),
        ("127.evil.com:5000", ("https",)),
        ("localhost.evil.com", ("https",)),
    ],
)
def test_plain_http_is_for_loopback_alone(host: str, schemes: tuple[str, ...]) -> None:
    endpoint = Hosts().origin(host)
    assert endpoint.schemes == schemes
    assert endpoint.checks_certificates is ("http" not in schemes)


def test_host_names() -> None:
    assert host_name("[::1]:5000") == host_name("[::1]") == "::1"
    assert host_name("a.b:1") == "a.b"
    assert has_port("a:1")
    assert not has_port("[::1]")
    assert not is_loopback("128.0.0.1")


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("tls")
    key, cert = directory / "key.pem", directory / "cert.pem"
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
    command += ["-keyout", str(key), "-out", str(cert), "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return cert, key


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Registry]:
    registry = Registry(certificate)
    Image(tar(a=b"1")).serve(registry, "app", "v1")
    yield registry
    registry.close()


def test_loopback_speaks_tls_if_need_be(secure: Registry, client: Client) -> None:
    client.repository(secure.host, "app").resolve("v1")


def test_a_certificate_nobody_vouches_for(secure: Registry, make_client: MakeClient) -> None:
    client = make_client(RegistryConfig(secure.host, ca=["/etc/ssl/certs/ca-certificates.crt"]))
    with pytest.raises(errors.Unreachable, match="its certificate was not accepted") as caught:
        client.repository(secure.host, "app").resolve("v1")
    shown = render(caught.value.diagnostic)
    assert "self-signed certificate" in shown
    assert f"/etc/docker/certs.d/{secure.host}/ca.crt" in shown


def test_a_certificate_of_the_configuration(
    secure: Registry, make_client: MakeClient, certificate: tuple[Path, Path]
) -> None:
    client = make_client(RegistryConfig(secure.host, ca=[str(certificate[0])]))
    client.repository(secure.host, "app").resolve("v1")


def test_an_insecure_registry(secure: Registry, make_client: MakeClient) -> None:
    client = make_client(RegistryConfig(secure.host, insecure=True))
    client.repository(secure.host, "app").resolve("v1")


def test_certificates_of_certs_d(secure: Registry, certificate: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "certs.d" / secure.host
    place.mkdir(parents=True)
    shutil.copy(certificate[0], place / "ca.crt")
    shutil.copy(certificate[0], place / "client.cert")
    shutil.copy(certificate[1], place / "client.key")
    hosts = Hosts([RegistryConfig(secure.host, ca=[str(certificate[0])])])
    transport = Transport(hosts, certificates=[str(tmp_path / "certs.d")], first_pause=0.01)
    with Client(hosts, Credentials({}), transport=transport) as client:
        client.repository(secure.host, "app").resolve("v1")
    (place / "ca.crt").write_text("nonsense")
    transport = Transport(hosts, certificates=[str(tmp_path / "certs.d")], first_pause=0.01)
    with (
        Client(hosts, Credentials({}), transport=transport) as client,
        pytest.raises(errors.BadRegistryConfig, match=r"cannot load the certificate .*ca\.crt"),
    ):
        client.repository(secure.host, "app").resolve("v1")


def test_ssl_cert_file(
    secure: Registry,
    make_client: MakeClient,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    config = RegistryConfig(secure.host, ca=["/etc/ssl/certs/ca-certificates.crt"])
    make_client(config).repository(secure.host, "app").resolve("v1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(errors.BadRegistryConfig, match="none: No such file"):
        make_client(config).repository(secure.host, "app").resolve("v1")


def test_https_that_redirects_to_http_is_not_followed(
    secure: Registry,
    behaving: Registry,
    make_client: MakeClient,
    certificate: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pybuild.runtime.registry import transport

    monkeypatch.setattr(transport, "is_loopback", lambda host: False)
    secure.rules.append(
        lambda h: "/manifests/" in h.path and h.reply(307, Location=f"http://{behaving.host}/x?s=1")
    )
    client = make_client(RegistryConfig(secure.host, ca=[str(certificate[0])]))
    with pytest.raises(
        errors.ServerFailure, match=rf"redirects from HTTPS to http://{behaving.host}/x(?m:$)"
    ):
        client.repository(secure.host, "app").resolve("v1")
    assert behaving.requests == []


# Proxies.


@pytest.mark.parametrize(
    ("host", "no_proxy", "proxied"),
    [
        ("example.com", "", True),
        ("example.com", "example.com", False),
        ("a.example.com", "example.com", False),
        ("notexample.com", "example.com", True),
        ("example.com", ".example.com", True),
        ("a.example.com", "*.example.com", False),
        ("example.com", "other, *", False),
        ("example.com:5000", "example.com:5000", False),
        ("example.com", "example.com:5000", True),
        ("example.com", "example.com:443", False),
        ("10.1.2.3:5000", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("[fd00::1]:5000", "fd00::/8", False),
        ("EXAMPLE.com", "example.COM", False),
        ("localhost:5000", "", False),
    ],
)
def test_who_is_proxied(host: str, no_proxy: str, proxied: bool) -> None:
    environ = {"HTTPS_PROXY": "proxy:3128", "no_proxy": no_proxy}
    assert (proxy_for("https", host, environ) is not None) is proxied
    assert proxy_for("http", host, environ) is None


def test_a_proxy_s_login_is_no_part_of_its_url() -> None:
    proxy = proxy_for("https", "x.org", {"https_proxy": "http://ann:p%40ss@proxy:3128/"})
    assert proxy is not None
    assert proxy.url == "http://proxy:3128"
    assert proxy.authorization == "Basic YW5uOnBAc3M="


@pytest.mark.parametrize("value", ["socks5://secret@p:1", "http://p:port", "http://:80"])
def test_proxies_that_can_t_be_used(value: str) -> None:
    with pytest.raises(errors.BadRegistryConfig, match="the proxy in HTTPS_PROXY can't be used") as caught:
        proxy_for("https", "x.org", {"HTTPS_PROXY": value})
    assert "secret" not in render(caught.value.diagnostic)


def test_requests_go_through_the_proxy(behaving: Registry, make_client: MakeClient) -> None:
    """A plain HTTP proxy gets the absolute URL, and its login."""
    image = Image(tar(a=b"1"))
    image.serve(behaving, "app", "v1")
    seen: list[tuple[str, str]] = []

    def proxied(handler: Handler) -> bool:
        if handler.path.startswith("http://r.example.com:5000/"):
            seen.append((handler.path, handler.headers.get("Proxy-Authorization", "")))
            media_type, data = behaving.manifests["app"]["v1"]
            handler.reply(200, data, Content_Type=media_type, Docker_Content_Digest=image.manifest.digest)
            return True
        return False

    behaving.rules.append(proxied)
    client = make_client(
        RegistryConfig("r.example.com:5000", http=True), HTTP_PROXY=f"http://ann:pw@{behaving.host}"
    )
    assert client.repository("r.example.com:5000", "app").resolve("v1")[0] == image.manifest
    assert seen == [("http://r.example.com:5000/v2/app/manifests/v1", "Basic YW5uOnB3")]


def test_a_proxy_that_is_down(make_client: MakeClient) -> None:
    client = make_client(HTTPS_PROXY="http://ann:hush@127.0.0.1:1")
    with pytest.raises(errors.Unreachable) as caught:
        client.repository("r.example.com", "app").resolve("v1")
    shown = render(caught.value.diagnostic)
    assert "the proxy failed" in shown
    assert "hush" not in shown


def test_a_server_that_is_no_http(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(errors.Unreachable, match=f"cannot connect to {host}"):
            client.repository(host, "app").resolve("v1")
        thread.join(10)
