"""SSH agents of a client, with OpenSSH's own programs on both sides."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybuild.lang.diagnostics import UsageError, UserError
from pybuild.request.values import agents
from pybuild.runtime.session.agents import ClientAgents, parse, parse_all
from pybuild.runtime.session.forward import Forward

pytestmark = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="needs OpenSSH's ssh-agent")


def keygen(path: Path, *flags: str, phrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", "-N", phrase, "-C", path.name, "-f", str(path), *flags]
    subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return keygen(tmp_path / "key", "-t", "ed25519")


@pytest.fixture
def agent(key: Path, tmp_path: Path) -> Iterator[str]:
    """The socket of an agent that holds the key."""
    path = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while (added := ssh_add(path, str(key))).returncode != 0 and time.monotonic() < end:
        time.sleep(0.05)  # it may not listen yet
    assert added.returncode == 0, added
    yield path
    process.terminate()
    process.wait()


def ssh_add(path: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "SSH_AUTH_SOCK": path, "HOME": "/nonexistent"}
    return subprocess.run(
        ["ssh-add", *words], env=env, capture_output=True, text=True, timeout=30, check=False
    )


def fingerprint(key: Path) -> str:
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, timeout=30, check=True
    )
    return said.stdout.split()[1]


def test_keys_are_served_and_the_agent_ends(key: Path, tmp_path: Path) -> None:
    second = keygen(tmp_path / "second", "-t", "ecdsa")
    second.chmod(0o644)  # as a checkout has it; only ssh-add itself minds
    given = ClientAgents([parse("keys=key,second")], lambda: str(tmp_path))
    path = given.socket("keys")
    assert path is not None
    assert given.socket("keys") == path
    assert given.socket("other") is None
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    listed = ssh_add(path, "-l").stdout
    assert fingerprint(key) in listed
    assert fingerprint(second) in listed
    given.close()
    given.close()
    assert not os.path.exists(os.path.dirname(path))
    assert agents_at(path) == []


def agents_at(path: str) -> list[str]:
    """Processes whose command line names the socket, once those that are dying have gone."""
    end = time.monotonic() + 5
    while True:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if os.fsencode(path) in words:
                    found.append(entry.name)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def test_no_agent_is_started_that_nobody_asks_for(key: Path, tmp_path: Path) -> None:
    given = ClientAgents([parse("default=key")], lambda: str(tmp_path))
    given.close()
    assert not (tmp_path / "agents").exists()


def test_a_long_path_of_the_store(key: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    given = ClientAgents([parse("default=key")], lambda: str(deep))
    path = given.socket("")
    assert path is not None
    assert fingerprint(key) in ssh_add(path, "-l").stdout
    given.close()
    assert not os.path.exists(os.path.dirname(path))


def test_the_agent_ends_with_a_killed_build(key: Path, tmp_path: Path) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        path = ClientAgents([parse("default=key")], lambda: str(tmp_path)).socket("default") or ""
        os.write(write, path.encode())
        signal.pause()
        os._exit(1)
    os.close(write)
    with open(read, encoding="utf-8") as pipe:
        path = os.read(pipe.fileno(), 4096).decode()
    assert ssh_add(path, "-l").returncode == 0
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    end = time.monotonic() + 15  # the agent looks after its parent every ten seconds
    while agents_at(path) and time.monotonic() < end:
        time.sleep(0.1)
    assert agents_at(path) == []


def test_a_socket_is_given_as_it_is(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ClientAgents([parse(f"work={agent}")])
    assert given.socket("work") == agent
    assert given.socket("default") is None
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    for text in ("default", "default=", ""):
        assert ClientAgents([parse(text)]).socket("") == agent


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("default", "invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set"),
        ("default=nothing", "nothing: no such file or directory"),
        ("default=text", "failed to parse text: ssh: no key found"),
        ("default=key.pub", "failed to parse key.pub: ssh: no key found"),
        ("default=locked", "failed to parse locked: ssh: this private key is passphrase protected"),
        ("default=locked.pem", "failed to parse locked.pem: ssh: this private key is passphrase protected"),
        ("default=agent,key", "invalid combination of keys and sockets"),
        ("default=key,agent", "invalid combination of keys and sockets"),
        ("default=agent,agent", "only single socket allowed"),
        ("default=key,raw=true", "raw mode only supported with socket paths"),
        ("default=raw=maybe,agent", "invalid value for 'raw': maybe"),
        ("default=agent,agent,raw=true", "raw mode must supply exactly one socket path"),
    ],
)
def test_a_flag_that_means_nothing(key: Path, agent: str, text: str, title: str) -> None:
    Path("text").write_text("no key\n")
    keygen(Path("locked"), "-t", "ed25519", phrase="secret")
    keygen(Path("locked.pem"), "-t", "ecdsa", "-m", "PEM", phrase="secret")
    with pytest.raises(UsageError) as caught:
        agents([text])
    assert title in str(caught.value)
    assert caught.value.exit_code == 2


def test_two_agents_of_one_id(key: Path) -> None:
    with pytest.raises(UsageError, match="duplicate agent ID 'default'"):
        parse_all(["default=key", "=key"])


@pytest.mark.parametrize("flags", [("-t", "rsa", "-m", "PEM"), ("-t", "ecdsa", "-m", "PKCS8"), ("-t", "rsa")])
def test_kinds_of_key_files(key: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    other = keygen(tmp_path / "other", *flags)
    given = ClientAgents([parse("default=other")], lambda: str(tmp_path))
    try:
        assert fingerprint(other) in ssh_add(given.socket("") or "", "-l").stdout
    finally:
        given.close()


def test_a_damaged_key(key: Path, tmp_path: Path) -> None:
    lines = key.read_text().splitlines()
    del lines[-2]
    key.write_text("\n".join(lines) + "\n")
    given = ClientAgents([parse("default=key")], lambda: str(tmp_path))
    try:
        with pytest.raises(UserError, match="ssh-add does not take the key"):
            given.socket("")
    finally:
        given.close()


def test_without_openssh(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pybuild.runtime.session.keyagent.find_program", lambda name: None)
    given = ClientAgents([parse("default=key")], lambda: str(tmp_path))
    with pytest.raises(UserError, match="OpenSSH's ssh-agent, which isn't installed") as caught:
        given.socket("")
    assert any("openssh" in text for word, text in caught.value.diagnostic.notes)
    given.close()


# What passes a forward


def forwarded(tmp_path: Path, agent: str, *, raw: bool = False) -> Forward:
    return Forward(str(tmp_path / "forward"), agent, uid=os.getuid(), gid=os.getgid(), mode=0o640, raw=raw)


def test_keys_are_listed_and_sign(key: Path, agent: str, tmp_path: Path) -> None:
    forward = forwarded(tmp_path, agent)
    try:
        assert os.stat(forward.path).st_mode & 0o777 == 0o640
        assert fingerprint(key) in ssh_add(forward.path, "-l").stdout
        assert ssh_add(forward.path, "-T", str(key) + ".pub").returncode == 0
    finally:
        forward.close()
        forward.close()
    assert not os.path.exists(forward.path)


def test_nothing_else_reaches_the_agent(key: Path, agent: str, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "-t", "ed25519")
    before = ssh_add(agent, "-l").stdout
    forward = forwarded(tmp_path, agent)
    try:
        assert ssh_add(forward.path, str(other)).returncode != 0
        assert ssh_add(forward.path, "-D").returncode != 0
        assert ssh_add(forward.path, "-d", str(key)).returncode != 0
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(forward.path)
            one.settimeout(5)
            for request, answer in ((27, 28), (22, 5), (19, 5), (1, 5), (250, 5)):
                one.sendall((1).to_bytes(4, "big") + bytes([request]))
                assert one.recv(16) == (1).to_bytes(4, "big") + bytes([answer])
            one.sendall((1).to_bytes(4, "big") + bytes([11]))
            assert one.recv(5)[4] == 12
    finally:
        forward.close()
    assert ssh_add(agent, "-l").stdout == before


def test_a_raw_forward_passes_everything(key: Path, agent: str, tmp_path: Path) -> None:
    other = keygen(tmp_path / "other", "-t", "ed25519")
    forward = forwarded(tmp_path, agent, raw=True)
    try:
        assert ssh_add(forward.path, str(other)).returncode == 0
    finally:
        forward.close()
    assert fingerprint(other) in ssh_add(agent, "-l").stdout


@pytest.mark.parametrize("bad", [b"\0\0\0\0", b"\xff\xff\xff\xff1234", b"\0\0"])
def test_what_is_no_message_ends_the_connection(agent: str, tmp_path: Path, bad: bytes) -> None:
    forward = forwarded(tmp_path, agent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(forward.path)
            one.settimeout(5)
            one.sendall(bad)
            one.shutdown(socket.SHUT_WR)
            try:
                assert one.recv(16) == b""
            except ConnectionResetError:
                pass
        assert ssh_add(forward.path, "-l").returncode == 0
    finally:
        forward.close()


def test_an_agent_that_is_gone(tmp_path: Path) -> None:
    forward = forwarded(tmp_path, str(tmp_path / "nobody"))
    try:
        assert ssh_add(forward.path, "-l").returncode != 0
    finally:
        forward.close()


def test_closing_ends_open_connections(agent: str, tmp_path: Path) -> None:
    forward = forwarded(tmp_path, agent)
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(forward.path)
        one.settimeout(5)
        one.sendall((1).to_bytes(4, "big") + bytes([11]))
        assert one.recv(5)
        forward.close()
        while one.recv(1 << 16):
            continue
