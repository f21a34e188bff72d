"""Networks of steps."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.runtime.sandbox.stage import Box, Stage, make_root

from pybuild.compiler.ops import NetMode, SecurityMode
from pybuild.runtime.sandbox import find, libc, network
from pybuild.runtime.sandbox.errors import SandboxError

pytestmark = [pytest.mark.root, pytest.mark.crun]
NAME_ANSWERED = "203.0.113.77"
needs_pasta = pytest.mark.skipif(shutil.which("pasta") is None, reason="needs pasta")


def outer_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


@pytest.fixture
def servers() -> Iterator[dict[str, int]]:
    """Ports of two servers that say where they listen: one on loopback, one on another address."""
    sockets = {
        "loopback": socket.create_server(("127.0.0.1", 0)),
        "outer": socket.create_server((outer_address(), 0)),
    }
    for name, server in sockets.items():
        threading.Thread(target=serve, args=(server, name), daemon=True).start()
    yield {name: server.getsockname()[1] for name, server in sockets.items()}
    for server in sockets.values():
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def serve(server: socket.socket, name: str) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(name.encode() + b"\n")


def ask(host: str, port: int) -> str:
    return f"nc -w 3 {host} {port} </dev/null 2>/dev/null || echo none; "


@pytest.fixture(params=["pasta", "slirp4netns"])
def tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each tool, the other one hidden."""
    name = str(request.param)
    if find.find_program(name) is None:
        pytest.skip(f"needs {name}")
    monkeypatch.setattr(
        network, "find_program", lambda asked: find.find_program(name) if asked == name else None
    )
    return name


def test_the_default_network_reaches_out_but_not_the_hosts_loopback(
    box: Box, servers: dict[str, int]
) -> None:
    outer = outer_address()
    script = (
        ask(outer, servers["outer"])
        + ask("127.0.0.1", servers["loopback"])
        + ask(outer, servers["loopback"])
        + ask(network.GATEWAY, servers["loopback"])
    )
    result = box.inside(lambda stage: (stage.sh(script, network=NetMode.UNSET).out, stage.notices))
    assert result == ("outer\nnone\nnone\nnone\n", [])


def test_host_network(box: Box, servers: dict[str, int]) -> None:
    script = ask("127.0.0.1", servers["loopback"]) + "readlink /proc/self/ns/net"
    out = box.inside(lambda stage: stage.sh(script, network=NetMode.HOST)).out
    assert out.split() == ["loopback", os.readlink("/proc/self/ns/net")]


def test_no_network_has_loopback_only(any_box: Box) -> None:
    result = any_box.inside(lambda stage: stage.sh("ip -o link; ip -o addr show lo", network=NetMode.NONE))
    assert len([line for line in result.out.splitlines() if "link/" in line]) == 1
    assert "inet 127.0.0.1/8" in result.out


@needs_pasta
def test_two_running_steps_never_share_and_later_ones_reuse(box: Box) -> None:
    other = os.fsencode(make_root(box.directory / "other"))

    def three(stage: Stage) -> list[str]:
        found: list[str] = []
        script = "readlink /proc/self/ns/net; sleep 0.3"
        one = threading.Thread(target=lambda: found.append(stage.sh(script, network=NetMode.UNSET).out))
        one.start()
        found.append(stage.sh(script, network=NetMode.UNSET, rootfs=other).out)
        one.join()
        found.append(stage.sh(script, network=NetMode.UNSET).out)
        return found

    first, second, third = box.inside(three)
    assert first != second
    assert third in (first, second)


@needs_pasta
def test_nothing_of_the_former_step_is_in_a_reused_network(box: Box) -> None:
    def two(stage: Stage) -> tuple[str, str, str]:
        listening = (
            "nc -l -p 7777 >/dev/null & (setsid nc -l -p 7778 >/dev/null &); sleep 0.2; netstat -ltn; "
        )
        first = stage.sh(listening + "readlink /proc/self/ns/net", network=NetMode.UNSET).out
        second = stage.sh("netstat -ltnx; ip -o addr; ip -o route", network=NetMode.UNSET).out
        return first, second, stage.sh("readlink /proc/self/ns/net", network=NetMode.UNSET).out

    first, second, same = box.inside(two)
    assert ":7777" in first
    assert ":7778" in first
    assert first.splitlines()[-1] == same.strip()
    assert "LISTEN" not in second.upper().replace("LISTENING", "")
    assert network.ADDRESS in second


@needs_pasta
def test_an_insecure_step_spoils_its_network(box: Box) -> None:
    def two(stage: Stage) -> list[str]:
        script = "ip link set lo mtu 1400; cat /sys/class/net/lo/mtu"
        insecure = stage.sh(script, network=NetMode.UNSET, security=SecurityMode.INSECURE)
        return [insecure.out, stage.sh("cat /sys/class/net/lo/mtu", network=NetMode.UNSET).out]

    first, second = box.inside(two)
    assert first == "1400\n"
    assert second != first


@needs_pasta
def test_a_prefetched_network_is_there_at_once_and_a_dead_one_is_not_used(box: Box) -> None:
    def take(stage: Stage) -> list[str]:
        stage.networks.prefetch(2)
        first = stage.networks.take(NetMode.UNSET)
        second = stage.networks.take(NetMode.UNSET)
        assert first._tool is not None
        first._tool.kill()
        first._tool.wait()
        stage.networks.give_back(first, reusable=True)
        stage.networks.give_back(second, reusable=True)
        third = stage.networks.take(NetMode.UNSET)
        stage.networks.give_back(third, reusable=True)
        return [str(first.path), str(second.path), str(third.path)]

    first, second, third = box.inside(take)
    assert first != second == third


def test_without_a_tool_the_hosts_network_is_used_and_said_once(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "find_program", lambda name: None)

    def two(stage: Stage) -> tuple[str, list[str]]:
        stage.run("true", network=NetMode.UNSET)
        return stage.sh("readlink /proc/self/ns/net", network=NetMode.UNSET).out, stage.notices

    out, notices = box.inside(two)
    assert out.strip() == os.readlink("/proc/self/ns/net")
    assert len(notices) == 1
    assert "neither pasta nor slirp4netns" in notices[0]


def test_isolation_turns_that_into_an_error(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "find_program", lambda name: None)
    with pytest.raises(SandboxError, match="no private network"):
        box.inside(lambda stage: stage.run("true", network=NetMode.UNSET), isolate=True)


def answer_names(server: socket.socket) -> None:
    """Answer every query for an A record with NAME_ANSWERED, any other one with nothing."""
    while True:
        try:
            query, client = server.recvfrom(512)
        except OSError:
            return
        end = query.index(b"\0", 12) + 5
        is_address = query[end - 4 : end - 2] == b"\0\1"
        head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_address else b"\0\0") + bytes(4)
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(NAME_ANSWERED)
        server.sendto(head + query[12:end] + (record if is_address else b""), client)


def test_a_resolver_on_the_hosts_loopback_answers(box: Box, tool: str) -> None:
    """As with systemd-resolved: /etc/resolv.conf names a loopback address, which no step could reach itself."""
    address = {"pasta": "127.0.0.54", "slirp4netns": "127.0.0.55"}[tool]
    conf = box.directory / "resolv.conf"
    conf.write_text(f"nameserver {address}\nsearch lan\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind((address, 53))
    except OSError:
        server.close()
        pytest.skip("port 53 is taken")
    threading.Thread(target=answer_names, args=(server,), daemon=True).start()

    def before() -> None:
        libc.mount(str(conf), os.path.realpath("/etc/resolv.conf"), flags=libc.MS_BIND)

    script = "cat /etc/resolv.conf; nslookup some.name.test"
    try:
        result = box.inside(lambda stage: stage.sh(script, network=NetMode.UNSET), before=before)
    finally:
        server.close()
    assert result.out.startswith(f"nameserver {network.RESOLVER}\nsearch lan\n")
    assert NAME_ANSWERED in result.out, result.err
