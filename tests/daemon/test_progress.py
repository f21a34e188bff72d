"""Progress of a build as messages of Control.Status."""

from __future__ import annotations

import time
from typing import Any

from pybuild.compiler.graph import Edge, Metadata, ProgressGroup
from pybuild.compiler.names import name_of
from pybuild.compiler.ops import NetMode
from pybuild.compiler.options import Options
from pybuild.compiler.protos.control_pb2 import StatusResponse, Vertex
from pybuild.compiler.state import State, copy, diff, merge, mkdir, mkfile, rm
from pybuild.daemon.progress import PIECE, Progress
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.progress.observer import StatusEvent, Tracked, VertexEvent

BASE = State.image("docker.io/library/busybox").network(NetMode.NONE)


class Heard:
    """A Progress, and what it sent."""

    def __init__(self) -> None:
        self.messages: list[StatusResponse] = []
        self.progress = Progress(lambda data: self.messages.append(StatusResponse.FromString(data)))

    def vertexes(self) -> list[Vertex]:
        self.progress.close()
        return [one for message in self.messages for one in message.vertexes]


def edge(state: State) -> Edge:
    assert state.edge is not None
    return state.edge


def test_vertices_are_known_before_they_start() -> None:
    heard = Heard()
    graph = edge(
        BASE.run(["true"], options=Options(progress_group=ProgressGroup("g", "the group", weak=True)))
    )
    heard.progress.known([graph])
    heard.progress.known([graph])
    heard.progress.vertex(VertexEvent(graph.vertex.digest, "true", started=1.5, group="g"))
    source, step, started = heard.vertexes()
    assert (source.name, step.name) == ("docker-image://docker.io/library/busybox:latest", "true")
    assert list(step.inputs) == [source.digest]
    assert not step.HasField("started")
    assert started.started.ToNanoseconds() == 1_500_000_000
    assert (started.progressGroup.name, started.progressGroup.weak) == ("the group", True)


def test_what_is_at_work_for_its_key_has_started_and_is_not_cached() -> None:
    heard = Heard()
    graph = edge(State.local("context"))
    digest = graph.vertex.digest
    heard.progress.known([graph])
    heard.progress.status(StatusEvent(digest, "transferring", current=5, timestamp=2.0, started=2.0))
    heard.progress.vertex(VertexEvent(digest, "context", started=3.0, completed=3.0, cached=True))
    _, begun, ended = heard.vertexes()
    assert begun.started.seconds == ended.started.seconds == 2
    assert not ended.cached
    (status,) = [one for message in heard.messages for one in message.statuses]
    assert (status.ID, status.vertex, status.current) == ("transferring", digest, 5)


def test_errors_are_in_the_words_of_buildkit() -> None:
    heard = Heard()
    try:
        with Tracked(heard.progress, "a step \udcff"):
            raise UserError("it failed \udcff")
    except UserError:
        pass
    _, failed = heard.vertexes()
    assert (failed.name, failed.error) == ("a step ?", "it failed ?")


def test_output_is_whole_and_in_order() -> None:
    heard = Heard()
    heard.progress.start()
    data = bytes(range(256)) * (PIECE * 3 // 256)
    heard.progress.log("v", 1, data)
    heard.progress.log("v", 2, b"error")
    heard.progress.close()
    heard.progress.close()
    logs = [one for message in heard.messages for one in message.logs]
    assert b"".join(one.msg for one in logs if one.stream == 1) == data
    assert logs[-1].msg == b"error"
    assert max(message.ByteSize() for message in heard.messages) < 4 << 20


def test_events_come_soon_and_together() -> None:
    heard = Heard()
    heard.progress.start()
    for number in range(100):
        heard.progress.vertex(VertexEvent(str(number), "one of many"))
    end = time.monotonic() + 10
    while sum(len(one.vertexes) for one in heard.messages) < 100:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(heard.messages) < 100
    heard.progress.close()


def test_waiting_is_not_told_and_notices_are() -> None:
    heard = Heard()
    heard.progress.waiting("waiting for another build")
    heard.progress.notice("steps use the host's network")
    assert {one.name for one in heard.vertexes()} == {"[pybuild] steps use the host's network"}


def test_names_of_what_has_none() -> None:
    made = BASE.file(mkdir("/a").mkfile("/b", b"").copy(BASE, "/c", "/d").rm("/e"))
    names = {
        "mkdir /a, mkfile /b, copy /c /d, rm /e": made,
        "sh -c true": BASE.run(["sh", "-c", "true"]),
        "local://context": State.local("context"),
        "merge (mkfile /a, rm /b)": merge([State.scratch().file(mkfile("/a")), BASE.file(rm("/b"))]),
        "diff (mkfile /a) -> (mkdir /b)": diff(
            State.scratch().file(mkfile("/a")), State.scratch().file(mkdir("/b"))
        ),
        "copy /x /y": BASE.file(copy(BASE, "/x", "/y")),
    }
    assert {name: name_of(edge(state).vertex) for name, state in names.items()} == {
        name: name for name in names
    }
    vertex = edge(made).vertex
    given: Any = {"llb.customname": "mine"}
    assert name_of(vertex.with_metadata(Metadata(description=given))) == "mine"


def test_names_of_names_end() -> None:
    state = State.scratch().file(mkfile("/a"))
    for number in range(40):
        state = merge([state, State.scratch().file(mkfile(f"/{number}")), state.file(rm("/a"))])
    assert len(name_of(edge(state).vertex)) <= 1024
