"""The record of a build under way, in files, so that it survives the daemon's death.

history/running/NAME.log       StatusResponses, each behind its length
history/running/NAME.record    the record so far
"""

from __future__ import annotations

import os
from struct import Struct

from pybuild.compiler.protos.control_pb2 import BuildHistoryRecord, StatusResponse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LENGTH = Struct("<I")
PIECE = 1 << 20
"""The size in bytes, roughly, in which messages are read."""


class RunningBuild:
    """A build under way: its `record` so far, and the path of its `log`. Call `end` once both are stored
    elsewhere."""

    def __init__(self, path: str, file: BinaryIO, record: BuildHistoryRecord) -> None:
        self._path = path
        self._file = file
        self.record = record
        self.warnings = 0
        self._steps: dict[str, tuple[bool, bool]] = {}

    @classmethod
    def begin(cls, directory: str, record: BuildHistoryRecord) -> RunningBuild:
        path = os.path.join(directory, os.urandom(12).hex())
        file = open(path + ".log", "xb", buffering=0)  # noqa: SIM115
        # The record comes last: without it the build has not begun (`dead_builds`).
        with open(path + ".new", "xb") as record_file:
            record_file.write(record.SerializeToString())
        os.rename(path + ".new", path + ".record")
        return cls(path, file, record)

    @property
    def log(self) -> str:
        return self._path + ".log"

    @property
    def steps(self) -> tuple[int, int, int]:
        """The numbers of vertices: all, cached, completed."""
        vertices = self._steps.values()
        return (
            len(vertices),
            sum(cached for cached, _ in vertices),
            sum(completed for _, completed in vertices),
        )

    def add(self, data: bytes) -> None:
        """Append a StatusResponse."""
        self._file.write(LENGTH.pack(len(data)) + data)
        self.count(data)

    def count(self, data: bytes) -> None:
        message = StatusResponse.FromString(data)
        self.warnings += len(message.warnings)
        for vertex in message.vertexes:
            cached, completed = self._steps.get(vertex.digest, (False, False))
            self._steps[vertex.digest] = (
                cached or vertex.cached,
                completed or vertex.HasField("completed"),
            )

    def end(self) -> None:
        """Delete the files. Idempotent."""
        for path in (self._path + ".record", self.log):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
        self._file.close()


def dead_builds(directory: str) -> Iterator[RunningBuild]:
    """Yield the builds that a dead daemon left. A half-written message at the end of a log is cut off."""
    names = os.listdir(directory)
    for name in sorted(names):
        path, dot, kind = os.path.join(directory, name).rpartition(".")
        stem = name.rpartition(".")[0]
        if kind != "record" and (kind != "log" or stem + ".record" not in names):
            os.unlink(path + dot + kind)  # the build had not begun
        elif kind == "record":
            yield _reopen(path)


def _reopen(path: str) -> RunningBuild:
    with open(path + ".record", "rb") as record_file:
        record = BuildHistoryRecord.FromString(record_file.read())
    file = open(path + ".log", "ab", buffering=0)  # noqa: SIM115
    build, end = RunningBuild(path, file, record), 0
    for message in messages(path + ".log"):
        build.count(message)
        end += LENGTH.size + len(message)
    file.truncate(end)
    return build


def messages(path: str) -> Iterator[bytes]:
    """Yield the complete messages of a log."""
    with open(path, "rb") as file:
        while len(head := file.read(LENGTH.size)) == LENGTH.size:
            (length,) = LENGTH.unpack(head)
            data = file.read(length)
            if len(data) < length:
                return
            yield data
