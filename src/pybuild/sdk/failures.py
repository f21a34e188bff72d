"""Converts errors and warnings between a frontend and its builder."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from pybuild.compiler.llb.sourcemap import encode_ranges, encode_source_info
from pybuild.compiler.protos import gateway_pb2, ops_pb2
from pybuild.lang.diagnostics import Diagnostic, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import grpc

DETAILS = "grpc-status-details-bin"
_LEVEL = 1


class BuilderLost(UserError):
    """The connection to the builder has ended, or it does not answer."""


def call_failure(method: str, error: grpc.RpcError) -> UserError:
    """Return the error of a failed call, with the places in build files that it names."""
    from grpc import Call

    from pybuild.runtime.bridge.statuses import error_of

    assert isinstance(error, Call)
    code, text = error.code().value[0], error.details() or ""
    if code in (4, 14):  # DEADLINE_EXCEEDED, UNAVAILABLE
        return BuilderLost(f"the builder does not answer {method}: {text}")
    for name, value in error.trailing_metadata() or ():
        if name == DETAILS:
            return error_of(Status.FromString(value if isinstance(value, bytes) else value.encode()))
    return error_of(Status(code=code, message=text))


def warning_message(warning: Diagnostic) -> gateway_pb2.WarnRequest:
    notes = [f"{word}: {text}" for word, text in warning.notes]
    request = gateway_pb2.WarnRequest(
        level=_LEVEL,
        short=warning.title.encode("utf-8", "replace"),
        detail=[note.encode("utf-8", "replace") for note in notes],
        url=warning.url,
    )
    span = warning.span
    if span is not None:
        request.info.MergeFromString(encode_source_info(span.source))
        request.ranges.extend(ops_pb2.Range.FromString(encoded) for encoded in encode_ranges(span))
    return request
