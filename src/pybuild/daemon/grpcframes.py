"""gRPC over HTTP/2: the headers of a call, and the status in its trailers."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybuild.daemon.http2 import Call, Headers

OK, CANCELLED, UNKNOWN, DEADLINE, RESOURCES, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 0, 1, 2, 4, 8, 12, 13, 14
_OF_HTTP = {"400": INTERNAL, "401": 16, "403": 7, "404": UNIMPLEMENTED} | dict.fromkeys(
    ("429", "502", "503", "504"), UNAVAILABLE
)
_OF_RESET = {0: INTERNAL, 7: UNAVAILABLE, 8: CANCELLED, 11: RESOURCES}


class Status:
    """The status of a call that has ended; `details` is a google.rpc.Status, or empty."""

    __slots__ = ("code", "details", "message")

    def __init__(self, code: int, message: str = "", details: bytes = b"") -> None:
        self.code = code
        self.message = message
        self.details = details


def request_headers(method: str, metadata: Iterable[tuple[str, str]] = ()) -> Headers:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", method),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "grpc-pybuild"),
        *metadata,
    ]


def status_of(call: Call) -> Status:
    """Return the status of a call that has ended."""
    trailers = dict(call.trailers or ())
    if "grpc-status" in trailers:
        code = trailers["grpc-status"]
        message = unquote(trailers.get("grpc-message", ""), errors="replace")
        return Status(
            int(code) if code.isdecimal() and len(code) < 3 else UNKNOWN,
            message,
            _decode_details(trailers.get("grpc-status-details-bin", "")),
        )
    answer = dict(call.headers or ()).get(":status", "200")
    if answer != "200":
        return Status(
            _OF_HTTP.get(answer, UNKNOWN), f"unexpected HTTP status code received from server: {answer}"
        )
    if call.failure is None:
        return Status(UNAVAILABLE, "the connection has ended")
    reset = _OF_RESET.get(call.failure, INTERNAL)
    return Status(reset, f"stream terminated by RST_STREAM with error code {call.failure}")


def _decode_details(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
