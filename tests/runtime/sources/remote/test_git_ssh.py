"""Git by SSH: a real server, an agent that holds the key, and host keys."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.sources.remote.conftest import Place, Repositories, git

from pybuild.lang.diagnostics import UserError, render
from pybuild.runtime.sources.gitrepository import FetchError

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


class Server:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        for name in ("host", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(command, check=True, timeout=20)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.known_hosts = f"[127.0.0.1]:{self.port} " + (directory / "host.pub").read_text()
        self.agent = str(directory / "agent")

    def start(self) -> list[subprocess.Popen[bytes]]:
        assert SSHD is not None
        options = {
            "HostKey": self.directory / "host",
            "AuthorizedKeysFile": self.directory / "key.pub",
            "StrictModes": "no",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "PidFile": "none",
            "ListenAddress": "127.0.0.1",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        os.makedirs("/run/sshd", exist_ok=True)
        quiet = subprocess.DEVNULL
        server = subprocess.Popen([SSHD, "-D", "-f", os.devnull, "-p", str(self.port), *words], stderr=quiet)
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", self.agent], stdout=quiet)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if os.path.exists(self.agent):
                    break
            except OSError:
                pass
            time.sleep(0.02)
        environment = {**os.environ, "SSH_AUTH_SOCK": self.agent}
        command = ["ssh-add", "-q", str(self.directory / "key")]
        subprocess.run(command, env=environment, check=True, timeout=20)
        return [server, agent]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    if SSHD is None or shutil.which("ssh-agent") is None:
        pytest.skip("needs sshd, ssh-agent")
    made = Server(tmp_path)
    processes = made.start()
    yield made
    for process in processes:
        process.terminate()
        process.wait()


def test_an_agent_lets_in_and_the_host_must_be_known(
    place: Place, repositories: Repositories, server: Server
) -> None:
    commit = repositories.make("app", {"a": "one\n"})
    remote = f"ssh://root@127.0.0.1:{server.port}{repositories.root}/app.git"
    op = git(remote, "main", known_ssh_hosts=server.known_hosts)
    with pytest.raises(UserError, match="no SSH key 'default' forwarded from the client") as missing:
        place.fetch(op)
    assert "--ssh default" in render(missing.value.diagnostic)

    place.given.sockets["default"] = server.agent
    assert place.files(place.fetch(op)) == {"a": b"one\n"}
    assert place.git.resolve(op, place.cancellation).commit == commit
    unknown = git(remote, "main")
    assert place.again().files(place.fetch(unknown)) == {"a": b"one\n"}, "without host keys any is taken"

    wrong = git(remote, "main", known_ssh_hosts=server.known_hosts.replace("AAAAC3", "AAAAC4"))
    with pytest.raises(FetchError) as raised:
        place.again().fetch(wrong)
    assert "host key" in render(raised.value.diagnostic)

    place.given.sockets["default"] = str(server.directory / "nothing")
    with pytest.raises(FetchError) as denied:
        place.again().fetch(op)
    assert "--ssh default" in render(denied.value.diagnostic)
