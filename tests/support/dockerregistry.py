"""A docker-registry process: the registry that others have."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path


def start_registry(directory: Path, extra: str = "") -> tuple[str, subprocess.Popen[bytes]]:
    """A docker-registry process on a free loopback port: (host, process)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = directory / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: {host!r}}}\n{extra}"
    )
    log = (directory / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    log.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(tuple(host.split(":")), 1):  # type: ignore[arg-type]
                return host, process
        except OSError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError((directory / "log").read_text())
