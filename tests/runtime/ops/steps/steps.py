"""Steps over busybox, solved by an engine in a process of its own: an engine enters namespaces for good."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.runtime.cache.conftest import Child

from pybuild.compiler.graph import Edge, LinuxResources
from pybuild.compiler.mounts import AnyMount
from pybuild.compiler.ops import NetMode
from pybuild.compiler.options import Options
from pybuild.compiler.state import State
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.results import Result
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.solver.types import Cancellation

MIB = 1 << 20
EAT = "x=$(head -c 100000000 /dev/zero | tr '\\0' x)"
"""Needs some hundred megabytes."""


def make_layout(directory: Path) -> Path:
    write_layout(directory / "layout", busybox_layer(), json.loads(PLAIN))
    return directory / "layout"


class Bench:
    """A store and a base image. `inside` runs a function of an engine in a child."""

    def __init__(self, directory: Path, layout: Path) -> None:
        self.store = directory / "store"
        self.layout = layout
        entry = json.loads((layout / "index.json").read_bytes())["manifests"][0]
        self.base = State.oci_layout(f"base@{entry['digest']}")

    def step(
        self,
        script: str,
        on: State | None = None,
        *,
        mounts: Sequence[AnyMount] = (),
        memory: int = 0,
        pids: str = "",
        description: dict[str, str] | None = None,
        again: bool = False,
    ) -> State:
        told = dict(description or {})
        if pids:
            told["pybuild.limits.pids"] = pids
        limits = LinuxResources(memory=memory, memory_swap=memory) if memory else None
        options = Options(linux_resources=limits, description=told, ignore_cache=again)
        state = on or self.base
        return state.run(shell=script, mounts=mounts, network=NetMode.NONE, options=options)

    def inside(self, work: Callable[[Engine, Heard], Any], *, project: str = "") -> Any:
        def child() -> object:
            heard = Heard()
            client = LocalClient(named={"base": f"oci-layout://{self.layout}"})
            options = EngineOptions(str(self.store), client=client, project=project)
            engine = Engine(options, heard, Cancellation())
            try:
                return work(engine, heard)
            finally:
                engine.close()

        return Child(child).result()

    def solve(self, *states: State, project: str = "") -> str:
        """Solve in order; what the steps wrote."""

        def work(engine: Engine, heard: Heard) -> str:
            for state in states:
                engine.solve([edge_of(state)])
            return heard.text()

        out: str = self.inside(work, project=project)
        return out

    def fail(self, state: State) -> Failure:
        """Solve what must fail."""

        def work(engine: Engine, _: Heard) -> Failure:
            try:
                engine.solve([edge_of(state)])
            except StepFailed as error:
                return Failure(error)
            raise AssertionError("it did not fail")

        found: Failure = self.inside(work)
        return found


class Failure:
    """What a StepFailed tells, apart from its vertex."""

    def __init__(self, error: StepFailed) -> None:
        self.title = str(error)
        self.notes = dict(error.diagnostic.notes)
        self.code = error.code
        self.output = error.output
        self.lines = error.lines
        self.seconds = error.seconds
        self.limit = error.limit
        self.snapshot = error.snapshot


class Heard(Observer):
    """Keeps what steps write."""

    def __init__(self) -> None:
        self.written = b""

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        self.written += data

    def text(self) -> str:
        return self.written.decode()


def edge_of(state: State) -> Edge:
    assert state.edge is not None
    return state.edge


def digest_of(state: State) -> str:
    return edge_of(state).vertex.digest


def texts(engine: Engine, result: Result | int | None, *paths: str) -> list[str | None]:
    """Files of a result or of a snapshot; None for those that aren't there."""
    if isinstance(result, int):
        tree = engine.snapshotter.tree(result)
    else:
        assert result is not None
        tree = engine.tree(result)
    found: list[str | None] = []
    for path in paths:
        node = tree.lstat(os.fsencode(path))
        found.append(None if node is None else Path(os.fsdecode(node.real)).read_text())
    return found
