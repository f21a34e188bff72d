"""Builds that end in the middle: killed, signalled, while they wait for what never comes, or for another process."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.building import Builder
from tests.e2e.ends import rounds
from tests.e2e.remains import until

from pybuild.runtime.content.locks import wait_lock
from pybuild.runtime.content.root import ENTRIES

pytestmark = [pytest.mark.root, pytest.mark.crun]

AT_ONCE = 5.0
"""Seconds, on a machine that does other things, too."""


def test_ends_at_any_moment(builder: Builder) -> None:
    rounds(builder, random.Random(7), at_least=6)


@pytest.fixture
def silent() -> Iterator[tuple[str, threading.Event]]:
    """A server that takes connections and never says a word, and an event: somebody has connected."""
    connected = threading.Event()
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return
                connected.set()

        threading.Thread(target=accept, daemon=True).start()
        yield "{}:{}".format(*server.getsockname()), connected
        server.shutdown(socket.SHUT_RDWR)
    for one in kept:
        one.close()


def ended(process: subprocess.Popen[bytes], number: signal.Signals, log: Path) -> None:
    """Signal a build, and see that it ends at once with the right code and a last line that says so."""
    process.send_signal(number)
    started = time.monotonic()
    code = process.wait(60)
    assert time.monotonic() - started < AT_ONCE
    assert code == 128 + number, log.read_text()
    assert log.read_bytes().rstrip().splitlines()[-1] == b"pybuild: cancelled"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("FROM {}/a/b:1", signal.SIGINT),
        ("FROM scratch\nADD git://{}/a/b.git /", signal.SIGTERM),
        ("FROM scratch\nADD http://{}/a /", signal.SIGTERM),
    ],
)
def test_a_server_that_never_answers(
    builder: Builder, silent: tuple[str, threading.Event], line: str, number: signal.Signals
) -> None:
    host, connected = silent
    log = builder.place / "log"
    process = builder.start(builder.context("context", line.format(host) + "\n"), log=log)
    assert connected.wait(60)
    ended(process, number, log)


def test_a_lock_that_is_never_free(builder: Builder) -> None:
    """The build waits for the whole store before it has anything that listens to a cancellation."""
    log = builder.place / "log"
    builder.store.mkdir(mode=0o700)
    context = builder.context("context", "FROM base\nRUN true\n")
    with wait_lock(str(builder.store / "in-use.lock")):  # type: ignore[union-attr]
        process = builder.start(context, log=log)
        assert until(lambda: (builder.store / "in-use.lock.wanted").exists(), 60), log.read_text()
        ended(process, signal.SIGTERM, log)


def test_a_command_that_builds_nothing(builder: Builder) -> None:
    builder.store.mkdir(mode=0o700)
    with wait_lock(str(builder.store / "in-use.lock")):  # type: ignore[union-attr]
        process = subprocess.Popen(
            [sys.executable, "-m", "pybuild", "prune", "--all", "--force"],
            env=builder.variables(),
            stderr=subprocess.PIPE,
        )
        assert until(lambda: (builder.store / "in-use.lock.wanted").exists(), 60)
        process.send_signal(signal.SIGTERM)
        said_last = process.communicate(timeout=60)[1].splitlines()[-1]
    assert (process.returncode, said_last) == (143, b"pybuild: cancelled")


def test_a_store_that_is_emptied_meanwhile(builder: Builder) -> None:
    """A build that waits for the store while it is emptied makes everything in it again."""
    log = builder.place / "log"
    context = builder.context("context", "FROM base\nRUN echo done >/f\n")
    builder.build(context)
    with wait_lock(str(builder.store / "in-use.lock")):  # type: ignore[union-attr]
        process = builder.start("--no-cache", context, log=log)
        assert until(lambda: b"waiting for" in log.read_bytes(), 20), log.read_text()
        subprocess.run(
            ["rm", "-rf", *(path for path in builder.store.iterdir() if path.name.startswith(ENTRIES))],
            check=True,
            timeout=60,
        )
    assert process.wait(60) == 0, log.read_text()
    assert "internal error" not in log.read_text()


IMPORTING = """
import signal, sys
from importlib.abc import MetaPathFinder
class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.{number})
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["list"]
import pybuild
pybuild.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["pybuild.replay.replay", "click", "pybuild.cli.list_targets"])
def test_while_it_imports(builder: Builder, module: str, number: signal.Signals) -> None:
    script = IMPORTING.format(module=module, number=number.name)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=builder.variables(),
        cwd=builder.place,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 128 + number
    assert done.stderr.strip() in (b"", b"pybuild: cancelled")


ORPHAN = """
import os, signal, socket, sys, time
from pybuild.runtime.sandbox import libc, runner_process
real = libc.die_with_parent
def late(number):
    if number == signal.SIGKILL:
        time.sleep(0.5)
    real(number)
libc.die_with_parent = late
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
main = os.getpid()
runner = os.fork()
if runner == 0:
    runner_process.run(theirs.fileno(), main)
children = f"/proc/{runner}/task/{runner}/children"
while not (init := open(children).read().split()):
    time.sleep(0.001)
os.kill(runner, signal.SIGKILL)
os.waitpid(runner, 0)
print(init[0])
"""


def test_process_1_of_a_namespace_whose_parent_died_before_it_asked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=60, check=True
    )
    init = int(done.stdout)
    gone: Callable[[], bool] = lambda: not Path(f"/proc/{init}/exe").exists()  # noqa: E731
    assert until(gone, 20)
