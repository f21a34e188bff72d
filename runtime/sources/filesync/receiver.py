"""The receiver of fsutil's protocol (`FileSync.DiffCopy`): transfers a client's directory to a tree of the store.

The client sends a packet for each entry in the order of a walk, and an empty one after the last; meanwhile it sends
the bytes of the files that the receiver requests by number. Once all have arrived, the receiver sends FIN, and the
client answers with FIN.
"""

from __future__ import annotations

from collections import deque

from pybuild.compiler.protos.fspackets_pb2 import Packet
from pybuild.lang.diagnostics import Cancelled
from pybuild.runtime.session.calls import SessionLost
from pybuild.runtime.session.outbox import Outbox
from pybuild.runtime.sources.filesync import errors
from pybuild.runtime.sources.filesync.entries import Entry, Writing
from pybuild.runtime.sources.filesync.metadata import NAME, Descriptions
from pybuild.runtime.sources.filesync.tree import ReceivedTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pybuild.runtime.session.calls import Session
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.statcache import Known

    Report = Callable[[int], None]

DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"
AT_ONCE = 128
"""Files requested at a time. More would only queue in the client, and each may be an open file here."""


class Receiver:
    """A transfer to the directory `root`. `received` is called with the path and stat cache entry of each received
    file. `compare` and `chosen` are those of `ReceivedTree`; `report` is called with the number of bytes so far."""

    def __init__(
        self,
        root: bytes,
        received: Callable[[bytes, Known], object],
        *,
        compare: bool = True,
        chosen: Callable[[bytes], bool] | None = None,
        report: Report | None = None,
    ) -> None:
        self._received = received
        self._report = report
        self._tree = ReceivedTree(root, self._want, compare=compare, chosen=chosen)
        self._descriptions = Descriptions(root) if chosen is not None else None
        self._requests: Outbox[Packet] = Outbox()
        self._waiting: deque[tuple[int, Entry]] = deque()
        self._requested: dict[int, Entry] = {}
        self._open: dict[int, Writing] = {}
        self._described = False
        self._finished = False
        self._ended = False
        self.transferred = 0

    def run(self, session: Session, metadata: Sequence[tuple[str, str]], cancellation: Cancellation) -> None:
        """Transfer the files. Raises TransferFailed, SessionLost, CallFailed, Cancelled; the tree is then
        incomplete, and the next transfer repairs it."""
        try:
            with session.stream(DIFF_COPY, self._requests, Packet, metadata=metadata) as stream:
                forget = cancellation.on_cancel(lambda: stream.__exit__(None, None, None))
                try:
                    for packet in stream:
                        assert isinstance(packet, Packet)
                        self._take(packet)
                finally:
                    forget()
        except SessionLost:
            if cancellation():
                raise Cancelled from None
            raise
        finally:
            # Lets the call's thread that sends requests end.
            self._requests.end()
            for writing in self._open.values():
                writing.abandon()
        if not self._ended:
            raise Cancelled if cancellation() else errors.broken_off()

    def _take(self, packet: Packet) -> None:
        kind = packet.type
        if kind == Packet.PACKET_STAT:
            if self._described:
                raise errors.after_the_end(packet.stat.path)
            if packet.HasField("stat"):
                self._count(packet)
                self._describe(packet)
            else:
                self._described = True
                self._go_on()
        elif kind == Packet.PACKET_DATA:
            self._count(packet)
            self._data(packet.ID, packet.data)
        elif kind == Packet.PACKET_FIN:
            if not self._finished:
                raise errors.broken_off()
            self._ended = True
        elif kind == Packet.PACKET_ERR:
            raise errors.from_sender(packet.data.decode("utf-8", "replace"))

    def _count(self, packet: Packet) -> None:
        self.transferred += len(packet.data) or packet.ByteSize()
        if self._report is not None:
            self._report(self.transferred)

    def _describe(self, packet: Packet) -> None:
        if self._descriptions is not None:
            self._descriptions.add(packet.stat)
        self._tree.describe(packet.stat)

    # Files

    def _want(self, number: int, entry: Entry) -> None:
        if not entry.size:
            self._finish(Writing(entry))
        elif len(self._requested) < AT_ONCE:
            self._request_file(number, entry)
        else:
            self._waiting.append((number, entry))

    def _request_file(self, number: int, entry: Entry) -> None:
        self._requested[number] = entry
        self._requests.put(Packet(type=Packet.PACKET_REQ, ID=number))

    def _data(self, number: int, data: bytes) -> None:
        entry = self._requested.get(number)
        if entry is None:
            raise errors.bad_request(number)
        try:
            writing = self._open.get(number)
            if writing is None:
                writing = self._open[number] = Writing(entry)
            if data:
                writing.write(data)
                return
            del self._open[number], self._requested[number]
            self._finish(writing)
        except OSError as error:
            raise errors.not_written(entry.path, error) from None
        self._go_on()

    def _finish(self, writing: Writing) -> None:
        try:
            known = writing.finish()
        except OSError as error:
            raise errors.not_written(writing.entry.path, error) from None
        self._received(writing.entry.path, known)

    def _go_on(self) -> None:
        """Request further files; after the last one finish the tree and send FIN."""
        while self._waiting and len(self._requested) < AT_ONCE:
            self._request_file(*self._waiting.popleft())
        if self._described and not self._requested and not self._waiting:
            self._tree.finish(keep=NAME if self._descriptions is not None else b"")
            if self._descriptions is not None:
                self._descriptions.save()
            self._finished = True
            self._requests.put(Packet(type=Packet.PACKET_FIN))
            self._requests.close()
