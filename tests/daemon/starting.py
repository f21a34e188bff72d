"""Daemons for tests of the process itself: started with the words of a test, looked at from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.daemon.client.running import ACCEPTS_WITHIN, STOPS_WITHIN


class Started:
    """`python -m pybuild WORD…`, or `program`. `log` has what it says."""

    def __init__(
        self,
        place: Path,
        *words: str,
        program: list[str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.log = place / "log"
        home = place / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*(program or [sys.executable, "-m", "pybuild"]), *words],
                env={**kept, "HOME": str(home), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place,
                start_new_session=True,
            )

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def accepts(self, path: str | Path) -> float:
        """Seconds until the unix socket takes connections. Raises AssertionError when it never does."""
        begun = time.monotonic()
        while time.monotonic() < begun + ACCEPTS_WITHIN:
            assert self.process.poll() is None, self.said()
            with socket.socket(socket.AF_UNIX) as trial, suppress(OSError):
                trial.connect(str(path))
                return time.monotonic() - begun
            time.sleep(0.002)
        raise AssertionError(f"nobody listens:\n{self.said()}")

    def tcp(self) -> str:
        """Its `tcp://` address, once it says it."""
        end = time.monotonic() + ACCEPTS_WITHIN
        while not (found := re.findall(r"running server on (tcp://[^\s\"]+)", self.said())):
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)
        return str(found[0])

    def end(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(STOPS_WITHIN)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


def children(pid: int) -> list[int]:
    """Processes that a process has started, and are there."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(one) for one in (task / "children").read_text().split()]
    return found


def processes(session: int) -> list[int]:
    """Living processes of a session, by its leader's pid."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                state, _, _, leader = (entry / "stat").read_text().rpartition(") ")[2].split()[:4]
                if state not in "ZX" and int(leader) == session:
                    found.append(int(entry.name))
    return found


def gone(session: int, seconds: float = 5.0) -> bool:
    """Whether no process of a session is left, after a while."""
    end = time.monotonic() + seconds
    while processes(session):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
