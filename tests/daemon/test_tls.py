"""TLS on tcp addresses, with and without certificates of clients."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.client.connect import TLS, connect
from tests.daemon.client.failure import Failure
from tests.daemon.starting import Started


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate of it for localhost and one for a client, and one of another authority."""
    place = tmp_path_factory.mktemp("tls")
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    for name in ("ca", "stranger"):
        openssl(
            "req",
            "-x509",
            *new,
            "-subj",
            f"/CN={name}",
            "-keyout",
            place / f"{name}.key",
            "-out",
            place / f"{name}.pem",
        )
    extensions = place / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        key, asked, made = (place / f"{name}.{end}" for end in ("key", "csr", "pem"))
        openssl("req", *new, "-subj", f"/CN={name}", "-keyout", key, "-out", asked)
        signing = ("-CA", place / "ca.pem", "-CAkey", place / "ca.key", "-CAcreateserial", "-days", "2")
        openssl("x509", "-req", "-in", asked, *signing, "-extfile", extensions, "-out", made)
    return place


@pytest.fixture(params=["TLS", "mTLS"])
def listening(
    request: pytest.FixtureRequest, certificates: Path, tmp_path: Path
) -> Iterator[tuple[bool, str]]:
    """Whether clients need certificates, and where the daemon listens."""
    mutual = request.param == "mTLS"
    words = ["--tlscert", str(certificates / "server.pem"), "--tlskey", str(certificates / "server.key")]
    words += ["--tlscacert", str(certificates / "ca.pem")] if mutual else []
    unix = tmp_path / "s"
    words += ["--root", str(tmp_path / "root"), "--addr", "tcp://127.0.0.1:0", "--addr", f"unix://{unix}"]
    with Started(tmp_path, "serve", *words) as daemon:
        daemon.accepts(unix)
        yield mutual, daemon.tcp()
        with connect(f"unix://{unix}") as client:
            assert client.info().package  # a unix socket has no TLS
        assert daemon.end() == 0


def test_who_may_call(listening: tuple[bool, str], certificates: Path) -> None:
    mutual, address = listening
    named, nameless = certificates / "client.pem", None
    cases = (
        (TLS(certificates / "ca.pem", named, certificates / "client.key"), True),
        (TLS(certificates / "ca.pem", nameless), not mutual),
        (TLS(certificates / "stranger.pem"), False),
        (
            TLS(certificates / "ca.pem", certificates / "stranger.pem", certificates / "stranger.key"),
            not mutual,
        ),
        (None, False),
    )
    for tls, let_in in cases:
        with connect(address, tls) as client:
            if let_in:
                assert client.info().package
            else:
                with pytest.raises(Failure, match="UNAVAILABLE"):
                    client.info()


def test_certificates_that_are_none(certificates: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing")
    words = [
        "--tlscert",
        str(bad),
        "--tlskey",
        str(certificates / "server.key"),
        "--addr",
        "tcp://127.0.0.1:0",
    ]
    with Started(tmp_path, "serve", "--root", str(tmp_path / "root"), *words) as daemon:
        assert daemon.wait() == 2
    assert "could not load server key pair" in daemon.said()
    assert "Traceback" not in daemon.said()
