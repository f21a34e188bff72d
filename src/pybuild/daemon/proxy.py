"""Forwards calls as bytes, whatever their method, with metadata, status and details."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import grpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from typing import Any

    Context = grpc.aio.ServicerContext[Any, Any]
    Metadata = list[tuple[str, str | bytes]]

MESSAGE = 16 << 20
"""The most bytes of a message that a client may send, as with buildkitd."""
CHANNEL = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_metadata_size", MESSAGE),
    ("grpc.absolute_max_metadata_size", MESSAGE),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)
SERVER = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", MESSAGE),
    ("grpc.max_metadata_size", MESSAGE),
    ("grpc.absolute_max_metadata_size", MESSAGE),
    # Else a second daemon could bind the same port unnoticed.
    ("grpc.so_reuseport", 0),
    # 0 sets no limit: clients may ping as often as they like.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
)
_OWN = ("user-agent", "grpc-accept-encoding", "content-type", "te")
CODES = {code.value[0]: code for code in grpc.StatusCode}
DETAILS = "grpc-status-details-bin"


async def forward(
    channel: grpc.aio.Channel,
    method: str,
    requests: AsyncIterator[bytes],
    context: Context,
    *,
    without: Iterable[str] = (),
) -> None:
    """Forward the call of `context` to `channel`, apart from metadata of the names `without`."""
    make: Any = channel.stream_stream(method)
    call = make(metadata=forwarded_metadata(context, without), timeout=context.time_remaining())
    pusher = asyncio.create_task(_push(requests, call))
    try:
        await context.send_initial_metadata(_pairs(await call.initial_metadata()))
        async for message in call:
            await context.write(message)
    except grpc.aio.AioRpcError:
        pass  # its status is read below
    finally:
        pusher.cancel()
        if not call.done():
            call.cancel()
    context.set_trailing_metadata(_pairs(await call.trailing_metadata()))
    context.set_code(await call.code())
    context.set_details(await call.details() or "")


def forwarded_metadata(context: Context, without: Iterable[str] = ()) -> Metadata:
    """Return the metadata of a call, apart from those of its connection."""
    dropped = (*_OWN, *without)
    return [(key, value) for key, value in context.invocation_metadata() or () if key not in dropped]


def only(context: Context, name: str) -> str:
    """Return the first value of a metadata key, "" if there is none."""
    for key, value in context.invocation_metadata() or ():
        if key == name:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return ""


async def fail(context: Context, status: bytes) -> None:
    """End the call with a google.rpc.Status. Always raises."""
    from google.rpc.status_pb2 import Status

    parsed = Status.FromString(status)
    code = CODES.get(parsed.code, grpc.StatusCode.UNKNOWN)
    await context.abort(code, parsed.message, ((DETAILS, status),) if parsed.details else ())


async def _push(requests: AsyncIterator[bytes], call: Any) -> None:
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        async for message in requests:
            await call.write(message)
        await call.done_writing()


def _pairs(metadata: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((key, value) for key, value in metadata or ())
