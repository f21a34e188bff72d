"""Archives that a client uploads in its session (`moby.upload.v1.Upload`)."""

from __future__ import annotations

from pybuild.compiler.protos.upload_pb2 import BytesMessage
from pybuild.runtime.session.types import UPLOADS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.runtime.session.calls import Session

PULL = "/moby.upload.v1.Upload/Pull"


def pull(session: Session, path: str) -> Iterator[bytes]:
    """Yield the bytes that the client sends for `http://buildkit-session/PATH`. Raises SessionLost, CallFailed."""
    metadata = [("urlpath", path), ("urlhost", UPLOADS)]
    with session.stream(PULL, [], BytesMessage, metadata=metadata) as stream:
        for message in stream:
            assert isinstance(message, BytesMessage)
            if message.data:
                yield message.data
