"""What Control.Status told of a build, put together."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from attrs import define, field
from tests.daemon.client.calls import Answers
from tests.daemon.client.failure import Failure

from pybuild.compiler.protos import control_pb2


@define
class Progress:
    """`vertexes` are the last of each digest, `messages` all that came, in order. `failure` is what ended the stream,
    if it did not end by itself."""

    vertexes: dict[str, control_pb2.Vertex] = field(factory=dict)
    statuses: dict[str, control_pb2.VertexStatus] = field(factory=dict)
    logs: list[control_pb2.VertexLog] = field(factory=list)
    warnings: list[control_pb2.VertexWarning] = field(factory=list)
    messages: list[control_pb2.StatusResponse] = field(factory=list)
    failure: Failure | None = None

    def add(self, message: control_pb2.StatusResponse) -> None:
        self.messages.append(message)
        for vertex in message.vertexes:
            self.vertexes[vertex.digest] = vertex
        for status in message.statuses:
            self.statuses[status.ID] = status
        self.logs.extend(message.logs)
        self.warnings.extend(message.warnings)

    def named(self, part: str) -> control_pb2.Vertex:
        """The only vertex with `part` in its name."""
        (found,) = (vertex for vertex in self.vertexes.values() if part in vertex.name)
        return found

    @property
    def names(self) -> list[str]:
        return [vertex.name for vertex in self.vertexes.values()]

    @property
    def ran(self) -> list[str]:
        """Names of the vertices that were not cached."""
        return [one.name for one in self.vertexes.values() if one.HasField("completed") and not one.cached]

    def output(self, digest: str = "", streams: Iterable[int] = (1, 2)) -> bytes:
        """What steps printed, or the one of `digest`."""
        kept = set(streams)
        return b"".join(
            log.msg for log in self.logs if log.stream in kept and (not digest or log.vertex == digest)
        )


class Watch:
    """Collects a stream of statuses in a thread of its own."""

    def __init__(self, answers: Answers[control_pb2.StatusResponse]) -> None:
        self.progress = Progress()
        self._answers = answers
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def wait(self, seconds: float = 10.0) -> Progress:
        """What came by the end of the stream. Raises TimeoutError if it doesn't end."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._answers.cancel()
            raise TimeoutError("the stream of statuses does not end with the build")
        return self.progress

    def cancel(self) -> None:
        self._answers.cancel()

    def _collect(self) -> None:
        try:
            for message in self._answers:
                self.progress.add(message)
        except Failure as failure:
            self.progress.failure = failure
