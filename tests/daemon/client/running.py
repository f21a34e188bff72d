"""A daemon of pybuild's, run for tests: started on a socket of its own, stopped by a signal, and looked after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.daemon.client.connect import connect
from tests.daemon.client.control import Daemon
from tests.daemon.client.failure import Failure
from tests.daemon.client.sockets import Directory

ACCEPTS_WITHIN = 20.0
"""Seconds; far more than it may take, as the machine is shared. A test of the daemon's own measures."""

STOPS_WITHIN = 20.0
_KEPT = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV")


class Running:
    """`pybuild buildkitd` with a root of its own; `address` is its unix socket."""

    def __init__(
        self, place: Path, *flags: str, environment: Mapping[str, str] | None = None, config: str = ""
    ) -> None:
        self.root = place / "root"
        self.log = place / "buildkitd.log"
        self._directory = Directory()
        self.address = "unix://" + self._directory.socket("buildkitd.sock")
        configuration = place / "buildkitd.toml"
        configuration.write_text(config)
        home = place / "home"
        home.mkdir(exist_ok=True)
        words = ["--addr", self.address, "--root", str(self.root), "--config", str(configuration), *flags]
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pybuild", "buildkitd", *words],
                env={**kept, "HOME": str(home), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place,
                start_new_session=True,
            )
        self._await_service()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connect(self) -> Daemon:
        """A connection like a client's own; close it."""
        return connect(self.address)

    def stop(self) -> None:
        """End it by SIGTERM. Raises AssertionError when it doesn't end well, or leaves something."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end on SIGTERM:\n{self.said()}") from None
        left = self.remains()
        socket = Path(self.address.removeprefix("unix://"))
        left += [f"socket {socket}"] if socket.exists() else []
        self._directory.close()
        assert code == 0, f"exit code {code}:\n{self.said()}"
        assert not left, f"left behind: {left}\n{self.said()}"

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")[-8000:]

    def remains(self, seconds: float = 3.0) -> list[str]:
        """What the daemon's processes have left in the system after at most `seconds`: processes and mounts."""
        end = time.monotonic() + seconds
        while found := [*_processes(self.process.pid, self.root), *_mounts(self.root)]:
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        return found

    def _await_service(self) -> None:
        end = time.monotonic() + ACCEPTS_WITHIN
        with self.connect() as daemon:
            while True:
                try:
                    daemon.info()
                    return
                except Failure as failure:
                    if self.process.poll() is not None or time.monotonic() > end:
                        self._directory.close()
                        self.process.kill()
                        self.process.wait()
                        raise RuntimeError(f"{failure}:\n{self.said()}") from None
                time.sleep(0.02)


def _processes(session: int, root: Path) -> list[str]:
    """Those of the daemon's session, and those that have the root's name in their arguments."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) in (os.getpid(), session):
            continue
        arguments = _read(f"/proc/{name}/cmdline")
        stat = _read(f"/proc/{name}/stat").rpartition(b") ")[2].split()
        alive = bool(stat) and stat[0] != b"Z"
        if alive and (os.fsencode(root) in arguments or int(stat[3]) == session):
            found.append(f"process {name} {arguments[:200]!r}")
    return found


def _mounts(root: Path) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(root) in line]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
