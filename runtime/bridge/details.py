"""Typed details of errors on the wire: messages of `errdefs` as BuildKit packs them, JSON under type URLs of its own.

`errdefs.Solve` is in protobuf's JSON form, the others in that of Go's encoder: fields by their names in the proto
files, bytes as base64. Needs the extra `pybuild[buildkit]`.
"""

from __future__ import annotations

import json

from google.protobuf.any_pb2 import Any
from google.protobuf.json_format import MessageToDict, MessageToJson, Parse, ParseError
from google.protobuf.message import Message

from pybuild.compiler.llb.sourcemap import (
    decode_ranges,
    decode_source_info,
    encode_ranges,
    encode_source_info,
)
from pybuild.compiler.llb.wire import DefinitionError
from pybuild.compiler.protos import errdefs_pb2, gateway_pb2, ops_pb2, policysession_pb2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.lang.source import Span

_PREFIX = "github.com/moby/buildkit/"
_TYPES: dict[str, type[Message]] = {
    "errdefs.Vertex+json": errdefs_pb2.Vertex,
    "errdefs.Source+json": errdefs_pb2.Source,
    "errdefs.Solve+json": errdefs_pb2.Solve,
    "errdefs.Frontend+json": errdefs_pb2.Frontend,
    "errdefs.FrontendCap+json": errdefs_pb2.FrontendCap,
    "errdefs.Subrequest+json": errdefs_pb2.Subrequest,
    "gatewayapi.ExitMessage+json": gateway_pb2.ExitMessage,
    "policysession.DecisionResponse+json": policysession_pb2.DecisionResponse,
}
_URLS = {kind: _PREFIX + name for name, kind in _TYPES.items()}


def packed(message: Message) -> Any:
    """Pack a message of one of the known kinds into a detail."""
    if isinstance(message, errdefs_pb2.Solve):
        text = MessageToJson(message, indent=None)
    else:
        text = json.dumps(MessageToDict(message, preserving_proto_field_name=True), separators=(",", ":"))
    return Any(type_url=_URLS[type(message)], value=text.encode())


def unpacked(detail: Any) -> Message | None:
    """Return the message in a detail; None for one of another kind, or a malformed one."""
    kind = _TYPES.get(detail.type_url.removeprefix(_PREFIX))
    if kind is None:
        return None
    message = kind()
    try:
        Parse(detail.value, message, ignore_unknown_fields=True)
    except (ParseError, UnicodeDecodeError, RecursionError):
        return None
    return message


def sources(spans: Iterable[Span]) -> Iterator[errdefs_pb2.Source]:
    """Yield the places of an error, one message for each run of spans in the same file."""
    message: errdefs_pb2.Source | None = None
    file = None
    for span in spans:
        if message is None or span.source is not file:
            if message is not None:
                yield message
            file = span.source
            info = ops_pb2.SourceInfo.FromString(encode_source_info(file))
            message = errdefs_pb2.Source(info=info)
        message.ranges.extend(ops_pb2.Range.FromString(one) for one in encode_ranges(span))
    if message is not None:
        yield message


def spans_of(source: errdefs_pb2.Source) -> tuple[Span, ...]:
    """Return the places that a message names; none if they don't lie in its file."""
    try:
        file = decode_source_info(source.info.SerializeToString())
        spans = decode_ranges((one.SerializeToString() for one in source.ranges), file)
    except DefinitionError:
        return ()
    lines = file.text.count("\n") + 1
    return tuple(span for span in spans if 1 <= span.line <= span.end_line <= lines)
