"""Content stores of a client (`containerd.services.content.v1.Content` in its session), to read and write blobs.

The ids of stores with images of `oci-layout://` sources are `oci:NAME`; an exporter writes to the store EXPORT.

    sink = ContentSink(session, EXPORT)
    sink.put(descriptor, path)
"""

from __future__ import annotations

import os

from pybuild.compiler.protos.content_pb2 import (
    COMMIT,
    WRITE,
    AbortRequest,
    InfoRequest,
    InfoResponse,
    ReadContentRequest,
    ReadContentResponse,
    WriteContentRequest,
    WriteContentResponse,
)
from pybuild.lang.diagnostics import UserError
from pybuild.runtime.image.descriptor import Descriptor
from pybuild.runtime.session.calls import ALREADY_EXISTS, NOT_FOUND, CallFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.protobuf.message import Message

    from pybuild.compiler.protos.content_pb2 import WriteAction
    from pybuild.runtime.content.blobs import BlobWriter
    from pybuild.runtime.session.calls import Session

_CONTENT = "/containerd.services.content.v1.Content/"
INFO, READ, WRITE_METHOD, ABORT = (_CONTENT + name for name in ("Info", "Read", "Write", "Abort"))
STORE = "buildkit-attachable-store-id"
LAYOUT = "oci:"
EXPORT = "export"
PIECE = 1 << 20
"""Bytes of a blob in one written message."""


class BadStore(UserError):
    """A client's content store sent other bytes than requested, or did not store a blob."""


class SessionContent:
    """A client's content store to read from (a `ContentStore`). Its methods may raise SessionLost, CallFailed."""

    def __init__(self, session: Session, id: str) -> None:
        self._session = session
        self._metadata = [(STORE, id)]

    def describe(self, digest: str) -> Descriptor:
        """Return the descriptor of a blob, without a media type."""
        info = self._session.call(
            INFO, InfoRequest(digest=digest), InfoResponse, metadata=self._metadata
        ).info
        return Descriptor("", digest, info.size)

    def fetch(self, descriptor: Descriptor, writer: BlobWriter, report: Callable[[int], None]) -> None:
        """Write a blob to `writer`, from the writer's offset on. Raises BadStore if the store sends more or less."""
        left = descriptor.size - writer.offset
        if left <= 0:
            return
        request = ReadContentRequest(digest=descriptor.digest, offset=writer.offset, size=left)
        with self._session.stream(READ, [request], ReadContentResponse, metadata=self._metadata) as stream:
            for message in stream:
                assert isinstance(message, ReadContentResponse)
                if message.offset != writer.offset or len(message.data) > descriptor.size - writer.offset:
                    raise _not_as_asked(descriptor.digest)
                writer.write(message.data)
                report(writer.offset)
        if writer.offset != descriptor.size:
            raise _not_as_asked(descriptor.digest)


class ContentSink:
    """A client's content store to write to. Its methods may raise SessionLost, CallFailed, BadStore."""

    def __init__(self, session: Session, id: str) -> None:
        self._session = session
        self._metadata = [(STORE, id)]

    def has(self, digest: str) -> bool:
        """Report whether the store has a blob."""
        try:
            self._session.call(INFO, InfoRequest(digest=digest), InfoResponse, metadata=self._metadata)
        except CallFailed as error:
            if error.code == NOT_FOUND:
                return False
            raise
        return True

    def put(self, blob: Descriptor, path: str, labels: Mapping[str, str] | None = None) -> None:
        """Write a blob from the file at `path`, unless the store has it. Idempotent."""
        if self.has(blob.digest):
            return
        # A ref of its own: a content store locks each ref for its writer.
        ref = f"{blob.digest}-{os.urandom(6).hex()}"
        messages = _written(ref, blob, path, labels or {})
        try:
            with self._session.stream(
                WRITE_METHOD, messages, WriteContentResponse, metadata=self._metadata
            ) as stream:
                actions = [_action(message) for message in stream]
        except CallFailed as error:
            if error.code == ALREADY_EXISTS:
                return  # another client wrote it meanwhile
            self._abort(ref)
            raise
        if COMMIT not in actions:
            self._abort(ref)
            raise BadStore(
                f"the client did not store {blob.digest}", help="its content store ended the write early"
            )

    def _abort(self, ref: str) -> None:
        """Discard a partly written blob; a failure is ignored."""
        from google.protobuf.empty_pb2 import Empty

        try:
            self._session.call(ABORT, AbortRequest(ref=ref), Empty, metadata=self._metadata)
        except UserError:
            pass


def _written(ref: str, blob: Descriptor, path: str, labels: Mapping[str, str]) -> Iterator[Message]:
    def request(action: WriteAction, offset: int, data: bytes = b"") -> WriteContentRequest:
        return WriteContentRequest(
            action=action, ref=ref, total=blob.size, expected=blob.digest, offset=offset, data=data
        )

    offset = 0
    with open(path, "rb", buffering=0) as file:
        while data := file.read(PIECE):
            yield request(WRITE, offset, data)
            offset += len(data)
    last = request(COMMIT, offset)
    last.labels.update(labels)
    yield last


def _action(message: Message) -> WriteAction:
    assert isinstance(message, WriteContentResponse)
    return message.action


def _not_as_asked(digest: str) -> BadStore:
    return BadStore(
        f"the client's content store does not give {digest} as it is described",
        help="its content store is damaged: write it again",
    )
