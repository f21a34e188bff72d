"""Builds in processes of their own: an engine enters namespaces for good."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pybuild.compiler.graph import Edge, Metadata, Vertex
from pybuild.compiler.ops import EMPTY, Copy, FileAction, FileOp, MkFile, SourceOp
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.ops.files.handler import FileHandler
from pybuild.runtime.progress.observer import Observer
from pybuild.runtime.solver.types import Cancellation

LIFE = 30
"""Seconds after which a child that hangs is killed."""


class Noting(Observer):
    """Keeps the notices."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


class Child:
    """Work in a process of its own, which ends after `life` seconds at the latest."""

    life = LIFE

    def __init__(self, work: Callable[[], object]) -> None:
        self._read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(self.life)
            gc.disable()  # what earlier tests left of gRPC can't be collected in a forked process: its locks are held
            try:
                result: tuple[bool, object] = True, work()
            except BaseException:
                result = False, traceback.format_exc()
            with os.fdopen(write, "wb") as pipe:
                pickle.dump(result, pipe)
            os._exit(0)
        os.close(write)

    def result(self) -> Any:
        with os.fdopen(self._read, "rb") as pipe:
            data = pipe.read()
        os.waitpid(self.pid, 0)
        assert data, "the child died"
        done, value = pickle.loads(data)
        assert done, value
        return value

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._read)


class Place:
    """A store, a context directory, and a log of the file ops that were run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.context = directory / "context"
        self.context.mkdir()
        self.log = directory / "log"

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def start(self, edges: Sequence[Edge], *, delay: float = 0, fail: str = "") -> Child:
        """Solve; the result is {path: text} of each edge's state, its snapshot, and the notices."""
        return Child(lambda: self._solve(edges, delay, fail))

    def build(self, *edges: Edge) -> list[tuple[dict[str, str], int]]:
        states, _ = self.start(edges).result()
        return list(states)

    def ran(self) -> list[str]:
        """Names of the file ops run since the last call, in order."""
        names = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return names

    def _solve(self, edges: Sequence[Edge], delay: float, fail: str) -> object:
        run, log = FileHandler.run, self.log

        def logged(handler: FileHandler, vertex: Vertex, inputs: Any, cancellation: Cancellation) -> Any:
            with open(log, "a", encoding="utf-8") as file:
                file.write(vertex.name + "\n")
            time.sleep(delay)
            if vertex.name == fail:
                raise RuntimeError("asked to fail")
            return run(handler, vertex, inputs, cancellation)

        FileHandler.run = logged  # type: ignore[method-assign,assignment]
        observer = Noting()
        client = LocalClient(directories={"context": os.fsencode(self.context)})
        options = EngineOptions(str(self.directory / "store"), client=client)
        engine = Engine(options, observer, Cancellation())
        try:
            results = engine.solve(list(edges))
            states = []
            for result in results:
                tree = engine.tree(result)
                found = {}
                for node in tree.walk(b""):
                    if node.stat.st_mode & 0o170000 == 0o100000:
                        with open(node.real, encoding="utf-8") as file:
                            found[os.fsdecode(node.path)] = file.read()
                states.append((found, engine.snapshot(result)))
            return states, observer.notices
        finally:
            engine.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    if os.geteuid() != 0:
        pytest.skip("needs the root user")
    return Place(tmp_path)


def context(*selected: str) -> Edge:
    import json

    attrs: Any = {"local.followpaths": json.dumps(list(selected))} if selected else {}
    return Edge(Vertex(SourceOp("local://context", attrs)))


def made(name: str, text: str, base: Edge | None = None, *, ignore_cache: bool = False) -> Edge:
    action = FileAction(
        EMPTY if base is None else 0, EMPTY, 0, MkFile("/" + name, 0o644, text.encode(), timestamp=0)
    )
    return _edge(f"make-{name}", action, [base], ignore_cache)


def copied(
    source: Edge, src: str, dest: str, base: Edge | None = None, *, ignore_cache: bool = False
) -> Edge:
    copy = Copy(src, dest, dir_copy_contents=True, create_dest_path=True, allow_wildcard=True, timestamp=0)
    action = FileAction(EMPTY if base is None else 1, 0, 0, copy)
    return _edge(f"copy-{dest.strip('/')}", action, [source, base], ignore_cache)


def named(name: str) -> Any:
    return {"llb.customname": name}


def _edge(name: str, action: FileAction, inputs: Sequence[Edge | None], ignore_cache: bool) -> Edge:
    metadata = Metadata(description=named(name), ignore_cache=ignore_cache)
    there = tuple(one for one in inputs if one is not None)
    return Edge(Vertex(FileOp((action,)), there, metadata=metadata))
