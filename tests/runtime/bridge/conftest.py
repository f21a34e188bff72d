"""Frontends of a build that is served to the test alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.calls import Calls
from tests.daemon.client.sockets import Directory
from tests.runtime.sandbox.stage import make_root

from pybuild.compiler.protos import gateway_pb2

ROOT = Path(__file__).parents[3]
SERVICE = gateway_pb2.DESCRIPTOR.services_by_name["LLBBridge"]


class Host:
    """A build that waits for its frontend; `gateway` is the frontend's end."""

    def __init__(self, place: Path, entitlements: str = "", through: Sequence[str] = ()) -> None:
        self._directory = Directory()
        self._path = self._directory.socket("gateway")
        self._channels: list[grpc.Channel] = []
        self.store = place / "store"
        sources = json.dumps({"root": str(place / "root"), "files": str(place / "files")})
        paths = [str(ROOT), str(ROOT / "src")]
        words = [self._path, str(self.store), sources, entitlements]
        self.process = subprocess.Popen(
            [*through, sys.executable, "-m", "tests.runtime.bridge.host", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            self.process.communicate()
            raise RuntimeError("the build did not start")
        self.gateway = self.connect()

    def connect(self) -> Gateway:
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self._channels.append(grpc.insecure_channel(f"unix:{self._path}", options))
        return Gateway(Calls(self._channels[-1], SERVICE))

    def hang_up(self) -> None:
        """The frontend goes away in the middle of its calls."""
        for one in self._channels:
            one.close()

    def running(self, word: str) -> list[str]:
        """The processes on the machine whose command lines hold a word."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdecimal() and name not in (str(os.getpid()), str(self.process.pid)):
                try:
                    line = Path(f"/proc/{name}/cmdline").read_bytes()
                except OSError:
                    continue
                found += [name] if word.encode() in line else []
        return found

    def end(self) -> Any:
        """End the build: what came of it."""
        said, _ = self.process.communicate("\n", timeout=20)
        assert self.process.returncode == 0
        return json.loads(said)

    def close(self) -> None:
        with self.process:
            self.process.kill()
        self.hang_up()
        self._directory.close()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store for all, and the local sources `root` (busybox) and `files`."""
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    found = tmp_path_factory.mktemp("bridge")
    make_root(found / "root")
    files = found / "files"
    (files / "sub").mkdir(parents=True)
    (files / "one").write_text("one\n")
    (files / "sub" / "two").write_text("two\n")
    (files / "link").symlink_to("/sub")
    return found


StartHost = Callable[..., Host]


@pytest.fixture
def start_host(place: Path) -> Iterator[StartHost]:
    """Builds of the test's own."""
    started: list[Host] = []

    def start(entitlements: str = "", through: Sequence[str] = ()) -> Host:
        started.append(Host(place, entitlements, through))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="module")
def host(place: Path) -> Iterator[Host]:
    """One build for a file of tests, whose frontend never returns."""
    found = Host(place)
    try:
        yield found
        assert found.end()["threads"] == []
    finally:
        found.close()


@pytest.fixture
def gateway(host: Host) -> Gateway:
    return host.gateway
