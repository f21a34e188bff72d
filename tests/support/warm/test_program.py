"""A program that needs not be imported first does what a fresh one does."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.warm import program
from tests.support.warm.asking import ask
from tests.support.warm.program import Server

import pybuild

WORDS = [
    ["--version"],
    ["build", "--help"],
    ["build", "--bogus"],
    ["build", "-q", "."],
    ["build", "--progress=plain", "-"],
    ["build", "--call=outline", "."],
    ["check", "no such file"],
]
CHANGING = re.compile(rb"\b\d+\.\d+s\b|[0-9a-f]{64}")
"""Seconds, and the digests of images, which bear the time."""

DOCKERFILE = b"ARG FROM_STDIN=1\nFROM scratch\nCOPY missing /\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG A=1\nCOPY f /é$A\n")
    (tmp_path / "f").write_text("f")
    return tmp_path


def variables(place: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "PYBUILD_ROOT": str(place / "store")}


@pytest.mark.root
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_it_does_as_a_fresh_one(words: list[str], place: Path) -> None:
    warm = program.run(words, cwd=place, env=variables(place), stdin=DOCKERFILE, timeout=60)
    environment = {**variables(place), "PYBUILD_ROOT": str(place / "other")}
    fresh = subprocess.run(warm.args, cwd=place, env=environment, input=DOCKERFILE, capture_output=True)
    assert warm.returncode == fresh.returncode
    for ours, theirs in ((warm.stdout, fresh.stdout), (warm.stderr, fresh.stderr)):
        assert CHANGING.sub(b"", ours) == CHANGING.sub(b"", theirs)


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONHASHSEED", "1"), ("PYTHONUTF8", "0"), ("PYTHONPATH", "/"), ("LC_ALL", "C")]
)
def test_what_python_itself_reads_needs_a_fresh_one(
    name: str, value: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "run", None)
    done = program.run(["--version"], cwd=place, env={**variables(place), name: value}, timeout=60)
    assert done.returncode == 0


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes a request and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def asking(silent: socket.socket) -> list[str]:
    return ["build", "-q", f"http://127.0.0.1:{silent.getsockname()[1]}/Dockerfile"]


def test_it_is_killed_after_its_time(place: Path, silent: socket.socket) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        program.run(asking(silent), cwd=place, env=variables(place), timeout=2)
    with silent.accept()[0] as client:
        client.settimeout(60)
        while client.recv(1 << 16):
            pass  # the end comes with that of the process


def test_several_at_once(place: Path, silent: socket.socket) -> None:
    """One that waits holds nobody up."""
    codes = []

    def build() -> None:
        codes.append(program.run(asking(silent), cwd=place, env=variables(place), timeout=60).returncode)

    thread = threading.Thread(target=build)
    thread.start()
    client = silent.accept()[0]
    assert program.run(["--version"], cwd=place, env=variables(place), timeout=60).returncode == 0
    assert codes == []
    client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    client.close()
    thread.join()
    assert codes == [1]


def test_the_command_of_scripts(place: Path) -> None:
    script = f"cd {place}; {program.command()} build --bogus; echo $?; {program.command()} --version | cat"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=variables(place))
    assert done.stdout == f"2\npybuild {pybuild.__version__}\n"
    assert done.stderr.startswith("error: no such option")


def test_the_server_ends_with_its_client(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.support.warm import program
from tests.support.warm.asking import ask
done = program.run(["--version"], cwd="/", env={{"HOME": "/"}}, timeout=60)
print(program.STARTED[0], flush=True)
os._exit(done.returncode)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    server = int(done.stdout)
    try:
        handle = os.pidfd_open(server)
    except ProcessLookupError:
        return
    assert select.select([handle], [], [], 30)[0]
    os.close(handle)


@pytest.mark.parametrize("sent", [b"", b"\0", bytes(7) + b"\5", bytes(7) + b"\5wrong"])
def test_a_client_that_dies_early_harms_nobody(sent: bytes, tmp_path: Path) -> None:
    server = program._server(None, os.getpid())
    with server.connect() as client:
        client.sendall(sent)
    with server.connect() as client:  # gone before it is told of its process
        streams = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]
        ask(client, ["--version"], str(tmp_path), variables(tmp_path), streams)
        for fd in streams:
            os.close(fd)
    done = program.run(["--version"], cwd=tmp_path, env=variables(tmp_path), timeout=60)
    assert done.returncode == 0


def test_a_server_that_has_ended_is_started_again(tmp_path: Path) -> None:
    first = program._server(None, os.getpid())
    first._process.kill()
    first._process.wait()
    assert program.run(["--version"], cwd=tmp_path, env=variables(tmp_path), timeout=60).returncode == 0
    assert program._server(None, os.getpid()) is not first
