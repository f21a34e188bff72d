"""Sends results to the client (`FileSend.DiffCopy`): a stream of bytes, or the files of a tree.

    with send_file(session, "0", {"image.name": name}, cancellation) as sink:
        sink.write(data)                                # repeatedly; leaving the context ends the stream

    send_tree(session, "0", tree_entries(tree), cancellation)

`exporter` is the number of the exporter in the request, as text: a build may have several outputs. Both raise
NotOffered, SessionLost, CallFailed (the client could not store the result), Cancelled.
"""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread

from pybuild.compiler.protos.filesync_pb2 import BytesMessage
from pybuild.compiler.protos.fspackets_pb2 import Packet
from pybuild.lang.diagnostics import Cancelled, UserError
from pybuild.runtime.session.calls import SessionLost
from pybuild.runtime.session.outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from google.protobuf.message import Message

    from pybuild.runtime.session.calls import Session, Stream
    from pybuild.runtime.session.sentfiles import SentEntry
    from pybuild.runtime.solver.types import Cancellation

FILE_SEND = "/moby.filesync.v1.FileSend/DiffCopy"
EXPORTER = "buildkit-attachable-exporter-id"
PREFIX = "exporter-md-"
"""Prefix of the headers with metadata of the result."""
PIECE = 1 << 20
"""Most bytes of a stream in one message."""
CHUNK = 256 << 10
"""Most bytes of a file in one packet."""
AHEAD = 4
"""Messages that may be queued."""


class NotOffered(UserError):
    """The client does not take results."""


def send_file(
    session: Session,
    exporter: str,
    metadata: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
) -> FileSink:
    """Open a stream that the client writes to a file. `metadata` describes the result; values that are not printable
    ASCII are left out, as headers can't hold them."""
    _check(session)
    headers = [
        (PREFIX + name.lower(), value)
        for name, value in (metadata or {}).items()
        if value.isascii() and value.isprintable()
    ]
    return FileSink(session, [(EXPORTER, exporter), *headers], cancellation)


def send_tree(
    session: Session,
    exporter: str,
    entries: Iterable[SentEntry],
    cancellation: Cancellation | None = None,
    report: Callable[[int], None] | None = None,
) -> None:
    """Send files that the client writes to its directory. `report` is called with the number of bytes sent so far."""
    _check(session)
    _Sender(entries, report).run(session, [(EXPORTER, exporter)], cancellation)


class FileSink:
    """A stream of bytes to the client. Once its context is left, or after `close`, the client has them all. Leaving
    it by an exception cancels the call, so that the client knows that the result is incomplete."""

    def __init__(
        self, session: Session, metadata: list[tuple[str, str]], cancellation: Cancellation | None
    ) -> None:
        self._outbox: Outbox[BytesMessage] = Outbox(AHEAD)
        self._failure: UserError | None = None
        self._cancellation = cancellation
        self._stream = session.stream(FILE_SEND, self._outbox, BytesMessage, metadata=metadata)
        self._forget = cancellation.on_cancel(self.abandon) if cancellation is not None else _nothing
        self._answer = Thread(target=self._listen, name="file send", daemon=True)
        self._answer.start()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data; blocks while the client is slower. Raises SessionLost, CallFailed, Cancelled."""
        view = memoryview(data)
        for start in range(0, len(view), PIECE):
            if not self._outbox.put(BytesMessage(data=bytes(view[start : start + PIECE]))):
                # The call has ended: its thread knows the reason, if the client gave one.
                self._answer.join()
                raise self._ended() or SessionLost(
                    "the client ended the stream before it had the whole result"
                )

    def close(self) -> None:
        """End the stream, and return when the client has stored it. Idempotent."""
        self._outbox.close()
        self._answer.join()
        self._forget()
        self._stream.__exit__(None, None, None)
        failure = self._ended()
        if failure is not None:
            raise failure

    def abandon(self) -> None:
        """Cancel the call. Idempotent."""
        self._stream.__exit__(None, None, None)
        self._outbox.end()

    def __enter__(self) -> FileSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        self.abandon()
        self._answer.join()
        self._forget()

    def _ended(self) -> UserError | Cancelled | None:
        """Return the reason why the call ended early, None if it did not."""
        if self._cancellation is not None and self._cancellation():
            return Cancelled()
        return self._failure

    def _listen(self) -> None:
        """Wait for the end of the call: the client answers with nothing but its status."""
        try:
            for _ in self._stream:
                pass
        except UserError as error:
            self._failure = error
        finally:
            self._outbox.end()


class _Sender:
    """The sender of fsutil's protocol: sends all entries, and the bytes of the files that the client requests."""

    def __init__(self, entries: Iterable[SentEntry], report: Callable[[int], None] | None) -> None:
        self._entries = entries
        self._report = report
        self._files: dict[int, SentEntry] = {}
        self._requests: SimpleQueue[Packet | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self._sent = 0

    def run(
        self, session: Session, metadata: list[tuple[str, str]], cancellation: Cancellation | None
    ) -> None:
        complete = False
        with session.stream(FILE_SEND, self._packets(), Packet, metadata=metadata) as stream:
            forget = _nothing if cancellation is None else cancellation.on_cancel(lambda: _break_off(stream))
            try:
                for packet in stream:
                    assert isinstance(packet, Packet)
                    self._requests.put(packet)
                    complete = complete or packet.type == Packet.PACKET_FIN
            except UserError:
                if cancellation is not None and cancellation():
                    raise Cancelled from None
                if self._failure is None:
                    raise
            finally:
                forget()
                # Ends `_packets` in the call's thread, which would wait for requests forever.
                self._requests.put(None)
        if self._failure is not None:
            raise self._failure
        if not complete:
            raise SessionLost("the client ended the transfer before it had the whole result")

    def _packets(self) -> Iterator[Message]:
        """Yield all packets. A thread of the call iterates over them and must not see an exception."""
        try:
            for number, entry in enumerate(self._entries):
                if entry.is_file:
                    self._files[number] = entry
                yield self._counted(Packet(type=Packet.PACKET_STAT, stat=entry.stat))
            # A STAT packet without an entry ends the list.
            yield Packet(type=Packet.PACKET_STAT)
            yield from self._requested()
        except Exception as error:  # from reading a file or from the iterator of entries; `run` raises it
            self._failure = error
            yield Packet(type=Packet.PACKET_ERR, data=str(error).encode("utf-8", "replace"))

    def _requested(self) -> Iterator[Message]:
        while (packet := self._requests.get()) is not None:
            if packet.type == Packet.PACKET_REQ:
                yield from self._data(packet.ID)
            elif packet.type == Packet.PACKET_FIN:
                yield Packet(type=Packet.PACKET_FIN)
                return
            elif packet.type == Packet.PACKET_ERR:
                raise UserError(f"error from receiver: {packet.data.decode('utf-8', 'replace')}")

    def _data(self, number: int) -> Iterator[Message]:
        entry = self._files.pop(number, None)
        if entry is None or entry.open is None:
            raise UserError(f"invalid file id {number}")
        with entry.open() as file:
            while data := file.read(CHUNK):
                yield self._counted(Packet(type=Packet.PACKET_DATA, ID=number, data=data))
        # An empty packet ends the file.
        yield Packet(type=Packet.PACKET_DATA, ID=number)

    def _counted(self, packet: Packet) -> Packet:
        self._sent += len(packet.data) or packet.ByteSize()
        if self._report is not None:
            self._report(self._sent)
        return packet


def _check(session: Session) -> None:
    if not session.offers(FILE_SEND):
        raise NotOffered(
            "method /moby.filesync.v1.FileSend/diffcopy not supported by the client",
            help="give the output a destination at the client: a file or a directory",
        )


def _break_off(stream: Stream) -> None:
    stream.__exit__(None, None, None)


def _nothing() -> None:
    pass


__all__ = ["FILE_SEND", "FileSink", "NotOffered", "send_file", "send_tree"]
