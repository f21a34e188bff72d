"""Sends an export to the client: archives and files to its session, blobs to its content store."""

from __future__ import annotations

import heapq

from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.export.receiver import Receiver
from pybuild.runtime.session.calls import ALREADY_EXISTS, CallFailed
from pybuild.runtime.session.contentstore import EXPORT, ContentSink
from pybuild.runtime.session.filesend import send_file, send_tree
from pybuild.runtime.session.sentfiles import directory_entry, file_entry, tree_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pybuild.runtime.export.build import Build
    from pybuild.runtime.export.layout import Sink
    from pybuild.runtime.export.receiver import Part
    from pybuild.runtime.image.assemble import Image
    from pybuild.runtime.progress.observer import Tracked
    from pybuild.runtime.session.calls import Session
    from pybuild.runtime.session.filesend import FileSink
    from pybuild.runtime.session.sentfiles import SentEntry
    from pybuild.runtime.solver.types import Cancellation

PIECE = 1 << 20
NANOSECONDS = 1_000_000_000


class Client(Receiver):
    """A receiver in the client. `session` is called when it is first needed; `number` is the exporter's, as
    text."""

    def __init__(self, session: Callable[[], Session], number: str, cancellation: Cancellation) -> None:
        self._session = session
        self._number = number
        self._cancellation = cancellation

    def archive(self, write: Callable[[Sink], None], facts: Mapping[str, str]) -> None:
        try:
            with send_file(self._session(), self._number, facts, self._cancellation) as sink:
                write(_Stream(sink))
        except CallFailed as failed:
            if failed.code != ALREADY_EXISTS:
                raise

    def layout(
        self,
        build: Build,
        image: Image,
        entries: Sequence[dict[str, object]],
        files: Mapping[str, bytes],
    ) -> None:
        """Send the blobs. The client writes the layout's index itself, from the response."""
        sink = ContentSink(self._session(), EXPORT)
        for blob in image.blobs:
            if self._cancellation():
                raise Cancelled
            sink.put(blob, build.store.blobs.path(blob.digest))

    def files(self, parts: Sequence[Part], build: Build, tracked: Tracked) -> None:
        """Send the files, each platform's in a call of its own: the client merges them."""
        for part in parts:
            label = f"copying files {part.key}" if part.prefix else "copying files"
            reported = 0

            def report(count: int, label: str = label) -> None:
                nonlocal reported
                if count - reported >= PIECE:
                    tracked.progress(label, count, 0)
                    reported = count

            send_tree(self._session(), self._number, _entries(part), self._cancellation, report)
            tracked.progress(label, reported, 0, done=True)


class _Stream:
    """A sink whose data are sent to the client."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink

    def write(self, data: bytes, /) -> None:
        self._sink.write(data)

    def copy(self, source: str, /) -> None:
        with open(source, "rb", buffering=0) as file:
            while data := file.read(PIECE):
                self._sink.write(data)


def _entries(part: Part) -> Iterator[SentEntry]:
    """Yield the entries of a part in the order of a walk, which the protocol demands: a directory's content comes
    before the names that follow the directory."""
    time = None if part.time is None else part.time * NANOSECONDS
    prefix = part.prefix + b"/" if part.prefix else b""
    if part.prefix:
        yield directory_entry(part.prefix, time or 0)
    beside = [
        file_entry(prefix + name, data, part.now * NANOSECONDS, 0o600) for name, data in part.files.items()
    ]
    beside.sort(key=_place)
    yield from heapq.merge(tree_entries(part.tree, part.prefix, time), beside, key=_place)


def _place(entry: SentEntry) -> list[bytes]:
    return entry.stat.path.split(b"/")
