"""The daemon as a process: from its start to its end, however that comes about."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.daemon.client.connect import connect
from tests.daemon.client.sockets import Directory
from tests.daemon.starting import Started, children, gone, processes

from pybuild.daemon import addresses
from pybuild.daemon.settings import Settings
from pybuild.lang.diagnostics import UsageError

Start = Callable[..., Started]
STARTS_WITHIN = 0.5
ENDS_WITHIN = 1.0


@pytest.fixture
def sockets() -> Iterator[Directory]:
    directory = Directory()
    yield directory
    directory.close()


@pytest.fixture
def address(sockets: Directory) -> str:
    return sockets.socket("s.sock")


@pytest.fixture
def start(tmp_path: Path, address: str) -> Iterator[Start]:
    """A daemon at `address`, unless other words say where."""
    started: list[Started] = []

    def begin(*words: str, addressed: bool = True, **options: object) -> Started:
        own = ["--addr", f"unix://{address}"] if addressed else []
        found = Started(
            tmp_path,
            "buildkitd",
            "--root",
            str(tmp_path / "root"),
            *own,
            *words,
            **options,  # type: ignore[arg-type]
        )
        started.append(found)
        return found

    yield begin
    for one in started:
        with one:
            pass


def test_it_accepts_soon_and_ends_soon(start: Start, address: str) -> None:
    """Once at least: other tests may take the machine's processors."""
    took, ended = [9.0], [9.0]
    while len(took) < 9 and (min(took) > STARTS_WITHIN or min(ended) > ENDS_WITHIN):
        daemon = start()
        took.append(daemon.accepts(address))
        with connect(f"unix://{address}") as client:
            client.info()
            begun = time.monotonic()
            assert daemon.end() == 0
            ended.append(time.monotonic() - begun)
        assert gone(daemon.process.pid, 0.0)
        assert not os.path.exists(address)
    assert min(took) < STARTS_WITHIN, took
    assert min(ended) < ENDS_WITHIN, ended


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_before_anything_was_asked(start: Start, address: str, number: int) -> None:
    daemon = start()
    daemon.accepts(address)
    assert daemon.end(number) == 0


def test_killed_it_leaves_nothing(start: Start, address: str, sockets: Directory) -> None:
    private = sockets.socket("private")
    os.mkdir(private)
    daemon = start(environment={"XDG_RUNTIME_DIR": private})
    daemon.accepts(address)
    assert os.listdir(private)
    daemon.process.kill()
    daemon.wait()
    assert gone(daemon.process.pid)
    assert not os.listdir(private)


def test_a_runtime_directory_whose_path_is_too_long_for_sockets(
    start: Start, address: str, tmp_path: Path
) -> None:
    directory = tmp_path / ("long" * 25)
    directory.mkdir()
    daemon = start(environment={"XDG_RUNTIME_DIR": str(directory)})
    daemon.accepts(address)
    assert not os.listdir(directory)
    assert daemon.end() == 0


def test_the_next_one_takes_the_places_of_a_killed_one(start: Start, address: str) -> None:
    first = start()
    first.accepts(address)
    first.process.kill()
    first.wait()
    second = start()
    with connect(f"unix://{address}") as client:
        second.accepts(address)
        assert client.info().package
    assert second.end() == 0


def test_without_its_fork_server_it_ends(start: Start, address: str) -> None:
    daemon = start()
    daemon.accepts(address)
    (fork_server,) = children(daemon.process.pid)
    os.kill(fork_server, signal.SIGKILL)
    assert daemon.wait() == 1
    assert "the process that forks workers has ended" in daemon.said()
    assert gone(daemon.process.pid)
    assert not os.path.exists(address)


def test_one_daemon_a_store(start: Start, address: str, sockets: Directory) -> None:
    first = start()
    first.accepts(address)
    second = start("--addr", f"unix://{sockets.socket('other.sock')}", addressed=False)
    assert second.wait() == 1
    assert "another instance running?" in second.said()
    assert first.process.poll() is None


def test_a_socket_that_is_in_use_is_not_taken(start: Start, address: str) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(address)
        other.listen()
        daemon = start()
        assert daemon.wait() == 2
    assert "a daemon is listening on unix://" in daemon.said()
    assert os.path.exists(address)
    assert gone(daemon.process.pid)


def test_a_file_is_not_taken_for_a_socket(start: Start, address: str) -> None:
    Path(address).write_text("mine")
    daemon = start()
    assert daemon.wait() == 2
    assert "no socket" in daemon.said()
    assert Path(address).read_text() == "mine"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("/run/x.sock", "does not contain proto, you meant unix:///run/x.sock ?"),
        ("npipe://x", "addr npipe://x not supported"),
        ("fd://", "are not supported"),
        ("tcp://127.0.0.1", "is not complete"),
        ("tcp://192.0.2.1:1", "tcp://192.0.2.1:1 without TLS"),
        ("unix:///" + "x" * 200, "longer than 107 bytes"),
    ],
)
def test_bad_addresses(start: Start, word: str, said: str) -> None:
    daemon = start("--addr", word, addressed=False)
    assert daemon.wait() == 2
    assert said in daemon.said()
    assert "Traceback" not in daemon.said()


@pytest.mark.parametrize(
    "word", ["tcp://:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://192.0.2.1:1", "tcp://no.invalid:1"]
)
def test_tcp_without_tls(word: str) -> None:
    place = addresses.parse(word)
    with pytest.raises(UsageError, match="without TLS"):
        addresses.insecure([place], Settings("/", ()))
    (warning,) = addresses.insecure([place], Settings("/", (), insecure_tcp=True))
    assert "everyone who reaches it" in warning
    assert addresses.insecure([place], Settings("/", (), tls=("c", "k", ""))) == []


@pytest.mark.parametrize(
    "word", ["tcp://127.0.0.1:1", "tcp://127.1.2.3:1", "tcp://[::1]:1", "tcp://localhost:1"]
)
def test_tcp_without_tls_on_loopback(word: str) -> None:
    (warning,) = addresses.insecure([addresses.parse(word)], Settings("/", ()))
    assert "each user of this machine" in warning


def test_several_addresses(start: Start, address: str, sockets: Directory) -> None:
    other = sockets.socket("sub/other.sock")
    daemon = start("--addr", f"unix://{other}", "--addr=tcp://127.0.0.1:0")
    daemon.accepts(other)
    versions = []
    for one in (f"unix://{address}", f"unix://{other}", daemon.tcp()):
        with connect(one) as client:
            versions.append(client.info().version)
    assert len(set(versions)) == 1
    assert "tcp://127.0.0.1:0 has no TLS" in daemon.said()
    assert daemon.end() == 0
    assert not os.path.exists(address)
    assert not os.path.exists(other)


def test_its_socket_is_the_owners_and_the_groups(start: Start, address: str) -> None:
    group = os.getegid()
    daemon = start("--group", str(group))
    daemon.accepts(address)
    while (mode := stat.S_IMODE(os.stat(address).st_mode)) != 0o660:
        assert mode == 0o600
    assert os.stat(address).st_gid == group


def test_a_link_of_its_name_is_the_daemon(start: Start, address: str, tmp_path: Path) -> None:
    program = tmp_path / "buildkitd"
    program.write_text("import sys\nfrom pybuild import main\nsys.exit(main())\n")
    ran = Started(tmp_path, "--version", program=[sys.executable, str(program)])
    assert ran.wait() == 0
    assert ran.said().startswith("buildkitd github.com/moby/buildkit v")


def test_messages_as_json(start: Start, address: str) -> None:
    daemon = start("--log-format=json", "--oci-worker-net", "cni")
    daemon.accepts(address)
    assert daemon.end() == 0
    notice, running = map(json.loads, daemon.said().splitlines())
    assert (notice["level"], running["level"]) == ("warning", "info")
    assert running["msg"] == f"running server on unix://{address}"


def test_systemd_is_told(start: Start, address: str, sockets: Directory) -> None:
    path = sockets.socket("notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(path)
        heard.settimeout(10)
        daemon = start(environment={"NOTIFY_SOCKET": path})
        assert heard.recv(100) == b"READY=1"
        assert daemon.end() == 0
        assert heard.recv(100) == b"STOPPING=1"


def test_a_worker_leaves_with_its_door(start: Start, address: str) -> None:
    daemon = start()
    daemon.accepts(address)
    with connect(f"unix://{address}") as client:
        client.disk_usage()
    (fork_server,) = children(daemon.process.pid)
    assert sorted(processes(daemon.process.pid)) == sorted((daemon.process.pid, fork_server))


def test_the_debugging_address(start: Start, address: str, sockets: Directory) -> None:
    place = sockets.socket("debug.sock")
    daemon = start("--debugaddr", f"unix://{place}")
    daemon.accepts(address)
    assert stat.S_IMODE(os.stat(place).st_mode) == 0o600
    numbers = json.loads(_asked(place, "/debug/vars")[1])
    assert numbers["resident_bytes"] > 1 << 20
    assert (numbers["builds"], numbers["sessions"]) == (0, 0)
    assert "buildkitd_builds 0\n" in _asked(place, "/metrics")[1]
    assert "_until_stopped" in _asked(place, "/debug/pprof/goroutine?debug=2")[1]
    assert _asked(place, "/debug/other")[0] == 404
    assert daemon.end() == 0
    assert not os.path.exists(place)


def _asked(place: str, path: str) -> tuple[int, str]:
    """Status and body of what is answered over HTTP."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(place)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with client.makefile("rb") as file:
            head, _, body = file.read().decode().partition("\r\n\r\n")
    return int(head.split()[1]), body
