"""A daemon under load: clients that build without pause, killed at random and replaced.

    python tests/daemon/load.py [--clients 50] [--seconds 300]

prints what the daemon holds while it works and after, and ends with 1 if something is left or lost: memory after the
first minute and at the end differ by a tenth, descriptors, threads and mounts are not those of the beginning, the
store is unsound, or something stays in it that nothing can need.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from attrs import define, field, frozen
from tests.daemon.client.running import Running
from tests.daemon.client.weighing import Weight, settled, weigh

TENTH = 0.1
KINDS = 4
"""Kinds of builds."""

GRACE = 20.0
"""Seconds in which a daemon whose clients are gone comes to rest."""


@frozen
class Load:
    """`lives` are seconds between two kills, `grace` those for coming to rest; `reference` names an image."""

    reference: str
    clients: int
    seconds: float
    lives: float = 1.0
    grace: float = GRACE


@define
class Report:
    """`weights` by seconds since the begin; `faults` are what is wrong at the end."""

    idle: Weight
    weights: list[tuple[float, Weight]] = field(factory=list)
    builds: int = 0
    kills: int = 0
    faults: list[str] = field(factory=list)

    def near(self, seconds: float) -> Weight:
        """The weight at a time."""
        return min(self.weights, key=lambda one: abs(one[0] - seconds))[1]


def client(address: str, reference: str, number: int, count: str) -> None:
    """Build until killed. Each build adds a byte to the file `count`."""
    from tests.daemon.client.connect import connect
    from tests.daemon.client.failure import Failure

    chosen = random.Random(number)
    with connect(address) as daemon, tempfile.TemporaryDirectory(prefix="pybuild-load-") as directory:
        (Path(directory) / "file").write_text(str(number))
        while True:
            try:
                _build(daemon, chosen.randrange(KINDS), chosen, reference, Path(directory))
            except Failure as failure:
                print(f"client {number}: {failure}", file=sys.stderr)
                raise
            with open(count, "ab", buffering=0) as file:
                file.write(b".")


def warm_up(running: Running, load: Load) -> None:
    """Builds of each kind by several clients at once: a daemon that has worked has its threads."""
    with tempfile.TemporaryDirectory(prefix="pybuild-load-") as directory, ExitStack() as stack:
        (Path(directory) / "file").write_text("0")
        for kind in range(KINDS):
            threads = []
            for number in range(min(load.clients, 4)):
                daemon = stack.enter_context(running.connect())
                words = (daemon, kind, random.Random(number), load.reference, Path(directory))
                threads.append(threading.Thread(target=_build, args=words))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    time.sleep(1)


def _build(daemon: object, kind: int, chosen: random.Random, reference: str, directory: Path) -> None:
    """One of several kinds of builds: some share their steps with those of other clients, some are alone."""
    from tests.daemon.client.control import Daemon
    from tests.daemon.client.files import Directories, Results
    from tests.daemon.client.solving import Build, ask, solve

    from pybuild.compiler.ops import NetMode
    from pybuild.compiler.state import State, copy, mkfile

    assert isinstance(daemon, Daemon)
    base = State.image(reference).env("PATH", "/bin").network(NetMode.NONE)
    context = State.local("context", unique=str(chosen.random()))
    offer = Directories({"context": directory}).offer()
    if kind == 0:
        shared = base.run(["sh", "-c", f"sleep 0.1; echo {chosen.randrange(20)} >/f"])
        solve(daemon, Build(shared))
    elif kind == 1:
        own = base.file(copy(context, "/file", "/file")).run(["sh", "-c", f"cat /file # {chosen.random()}"])
        solve(daemon, Build(own, offers=[offer], shared_key=str(directory)))
    elif kind == 2:
        results = Results()
        made = State.scratch().file(mkfile("/f", str(chosen.randrange(50)).encode() * 1000))
        solve(daemon, Build(made, exporters=[("tar", {})], offers=[results.offer()]))
    else:
        state = base.file(copy(context, "/file", "/read"))
        ask(daemon, lambda g: g.read_file(g.ref(state), "/read"), offer, shared_key=str(directory))


def run(running: Running, load: Load, tell: Callable[[str], None] = lambda line: None) -> Report:
    """Put a daemon under load, and look at what it holds, then and after."""
    from tests.e2e.soundness import faults

    with running.connect() as daemon:
        warm_up(running, load)
        report = Report(weigh(running))
        _work(running, load, report, tell)
        report.faults += [f"at rest: {one}" for one in settled(running, report.idle, load.grace)]
        report.faults += [f"store: {one}" for one in faults(running.root)]
        daemon.clear()
        end = time.monotonic() + load.grace
        while (left := daemon.disk_usage()) and time.monotonic() < end:
            time.sleep(0.2)
        report.faults += [f"not pruned: {one.Description} (in use: {one.InUse})" for one in left]
        report.faults += [f"blob {one.digest}" for one in daemon.contents()]
    return report


def _work(running: Running, load: Load, report: Report, tell: Callable[[str], None]) -> None:
    # Clients are forked of a process that has all modules and no threads.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.daemon.client.solving", "tests.daemon.client.connect", "tests.daemon.load"]
    )
    count = running.root.with_name("builds")
    count.touch()
    number = 0

    def start() -> BaseProcess:
        nonlocal number
        number += 1
        words = (running.address, load.reference, number, str(count))
        process = context.Process(target=client, args=words, daemon=True)
        process.start()
        return process

    clients = [start() for _ in range(load.clients)]
    chosen = random.Random(0)
    began = time.monotonic()
    kill_at, weigh_at = began + load.lives, began
    try:
        while (now := time.monotonic()) < began + load.seconds:
            if now >= weigh_at:
                report.weights.append((now - began, weigh(running)))
                tell(_line(*report.weights[-1]))
                weigh_at = now + load.seconds / 60
            if now >= kill_at:
                victim = chosen.randrange(len(clients))
                if not clients[victim].is_alive():
                    report.faults.append(f"a client ended with {clients[victim].exitcode}")
                clients[victim].kill()
                clients[victim].join()
                clients[victim] = start()
                report.kills += 1
                kill_at = now + load.lives * chosen.random() * 2
            time.sleep(0.05)
    finally:
        for process in clients:
            process.kill()
        for process in clients:
            process.join()
    report.builds = count.stat().st_size


def _line(seconds: float, weight: Weight) -> str:
    return (
        f"{seconds:6.0f} s  {weight.memory / 1e6:7.1f} MB  {weight.descriptors:4} descriptors  "
        f"{weight.threads + weight.pool:3} threads ({weight.pool} gRPC's)  {weight.mounts:3} mounts  "
        f"{weight.processes:4} processes"
    )


def main() -> int:
    from tests.differential.bases import Bases
    from tests.support.dockerregistry import start_registry

    options = argparse.ArgumentParser(description="A daemon under load.")
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--seconds", type=float, default=300)
    chosen = options.parse_args()
    place = Path(tempfile.mkdtemp(prefix="pybuild-load-"))
    host, registry = start_registry(place)
    try:
        (place / "daemon").mkdir()
        (place / "bases").mkdir()
        load = Load(Bases(place / "bases", host).reference(), chosen.clients, chosen.seconds)
        with Running(place / "daemon") as running:
            report = run(running, load, print)
    finally:
        registry.terminate()
        registry.wait()
        shutil.rmtree(place, ignore_errors=True)
    first, last = report.near(min(60.0, chosen.seconds / 5)), report.weights[-1][1]
    growth = last.memory / first.memory - 1
    if abs(growth) >= TENTH:
        report.faults.append(f"memory changed by {growth:.1%}")
    print(f"{report.builds} builds, {report.kills} clients killed, memory {growth:+.1%}")
    print(_line(0, report.idle), "idle, before")
    print("\n".join(report.faults) or "nothing left, the store is sound")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
