"""Bodies whose steps call functions, lowered and solved by an engine in a process of its own: an engine enters
namespaces for good."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen
from tests.compiler.lower.dockerfile.world import AMD64
from tests.compiler.lower.recipe.making import PLATFORM, recipe
from tests.runtime.cache.conftest import Child

from pybuild.compiler.lower.recipe import LowerOptions, lower
from pybuild.lang.python.functions import VALUE, Payload, ReturnValue, returned, statement
from pybuild.lang.recipe import Body, Copy, Layout, Option, Scratch, Source, Start, State, Statement, Step
from pybuild.runtime.bridge.bridge import LocalBridge
from pybuild.runtime.clients.localclient import LocalClient
from pybuild.runtime.engine import Engine, EngineOptions
from pybuild.runtime.ops.failures import StepFailed
from pybuild.runtime.ops.results import Snapshot
from pybuild.runtime.progress.observer import Observer, VertexEvent
from pybuild.runtime.solver.types import Cancellation


class Script:
    """A body on the image with a Python, or on another state."""

    def __init__(self, title: str = "image", base: State | None = None) -> None:
        self.body = Body(title, PLATFORM)
        self.state: State = Start(None, base or Layout(None, "base", PLATFORM), PLATFORM, self.body)
        self.body.state = self.state

    def add(self, one: Statement) -> Step:
        made = Step(None, self.state, one, self.body)
        self.body.state = self.state = made
        return made

    def call(self, sent: Payload, *options: Option) -> ReturnValue:
        return returned(self.add(statement(sent, options)), sent)


def value_of(given: ReturnValue) -> Body:
    """A body with nothing but the file of a returned value."""
    assert given.state is not None
    script = Script("value", Scratch(None))
    script.add(Copy((Source(VALUE),), given.state, "/"))
    return script.body


@frozen
class Solved:
    """What came of a build: the names of the steps that ran, what they wrote, the paths that the last op of each body
    has changed, its files by path, and the failure."""

    ran: list[str]
    text: str
    changes: list[set[str]]
    files: list[dict[str, bytes]]
    failure: str


class Heard(Observer):
    def __init__(self) -> None:
        self.ran: list[str] = []
        self.written = b""

    def vertex(self, event: VertexEvent) -> None:
        if event.started is not None and event.completed is None and event.name.startswith("["):
            self.ran.append(event.name)

    def log(self, vertex: str, stream: int, data: bytes) -> None:
        self.written += data


@frozen
class Stage:
    """A store and the layout of the image with a Python."""

    store: Path
    layout: Path

    def solve(self, *bodies: Body) -> Solved:
        found: Solved = Child(lambda: self._solve(bodies)).result()
        return found

    def _solve(self, bodies: tuple[Body, ...]) -> Solved:
        heard = Heard()
        client = LocalClient(named={"base": f"oci-layout://{self.layout}"})
        options = EngineOptions(str(self.store), client=client)
        engine = Engine(options, heard, Cancellation())
        try:
            made = recipe(*bodies)
            lowered = lower(made, LowerOptions(AMD64), _bridge(engine, heard)).instances
            edges = [lowered[goal.instances[0]].edge for goal in made.requested]
            try:
                results = engine.solve([edge for edge in edges if edge is not None])
            except StepFailed as error:
                return Solved(heard.ran, heard.written.decode(), [], [], str(error))
            ids = [one.id for one in results if isinstance(one, Snapshot) and one.id is not None]
            changes = [{os.fsdecode(one.path) for one in engine.snapshotter.changes(id)} for id in ids]
            files = [_files(engine, id) for id in ids]
            return Solved(heard.ran, heard.written.decode(), changes, files, "")
        finally:
            engine.close()


def _files(engine: Engine, id: int) -> dict[str, bytes]:
    """The small files outside of the system's directories."""
    out = {}
    for node in engine.snapshotter.tree(id).walk(b""):
        path = os.fsdecode(node.path)
        if path.split("/")[0] in ("out", VALUE) and node.stat.st_mode & 0o170000 == 0o100000:
            out[path] = Path(os.fsdecode(node.real)).read_bytes()
    return out


def _bridge(engine: Engine, heard: Observer) -> LocalBridge:
    return LocalBridge(
        lambda ref, platform: engine.images.resolve_image(ref, platform, engine.cancellation),
        lambda name, platform: engine.images.resolve_named(name, platform, engine.cancellation),
        lambda edge: engine.solve([edge])[0],
        engine.tree,
        heard,
        engine.fetchers.source_time,
    )
