"""The daemon's end of HTTP/2 against peers that are written out frame by frame."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import hpack
import pytest
from attrs import define, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from pybuild.daemon import http2
from pybuild.daemon.grpcframes import request_headers, status_of
from pybuild.daemon.http2 import BadPeer, Connection

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

OK = [(":status", "200"), ("content-type", "application/grpc")]
TRAILERS = [("grpc-status", "5"), ("grpc-message", "n%C3%B6 such"), ("grpc-status-details-bin", "AQI")]


def frame(kind: int, flags: int, id: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + id.to_bytes(4, "big") + payload


def block(headers: list[tuple[str, str]]) -> bytes:
    """One that stands for itself: nothing of it comes into the table."""
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*header) for header in headers])


def decoded(block: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in hpack.Decoder().decode(block)]


def number(value: int) -> bytes:
    return struct.pack(">I", value)


@frozen
class Frame:
    kind: int
    flags: int
    id: int
    payload: bytes


@define
class Peer:
    """The other end of a connection. `said` are the frames that came since they were looked at last."""

    connection: Connection
    _data: bytearray = field(factory=bytearray)

    async def hear(self, *frames: bytes) -> None:
        await self.connection.feed(b"".join(frames))

    async def said(self) -> list[Frame]:
        for _ in range(10):
            await asyncio.sleep(0)
        found = []
        while len(self._data) >= 9:
            length = int.from_bytes(self._data[:3], "big")
            kind, flags, id = self._data[3], self._data[4], int.from_bytes(self._data[5:9], "big")
            found.append(Frame(kind, flags, id, bytes(self._data[9 : 9 + length])))
            del self._data[: 9 + length]
        return found

    async def listen(self) -> None:
        async for data in self.connection.outgoing():
            self._data += data


def play(scene: Callable[[Peer], Awaitable[None]]) -> None:
    """A connection that has begun, and what happens on it."""

    async def main() -> None:
        peer = Peer(Connection())
        listening = asyncio.create_task(peer.listen())
        await asyncio.sleep(0)
        assert peer._data.startswith(PREFACE)
        del peer._data[: len(PREFACE)]
        settings, widened = await peer.said()
        assert (settings.kind, settings.id, widened.kind, widened.id) == (
            SETTINGS,
            0,
            WINDOW_UPDATE,
            0,
        )
        await peer.hear(frame(SETTINGS, 0, 0))
        assert [(one.kind, one.flags) for one in await peer.said()] == [(SETTINGS, ACK)]
        await scene(peer)
        peer.connection.close()
        await asyncio.wait_for(listening, 5)

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_call() -> None:
    async def scene(peer: Peer) -> None:
        call = peer.connection.call(request_headers("/a.B/C", [("name", "value")]))
        await call.send(b"request")
        await call.send(b"", end=True)
        head, data, end = await peer.said()
        assert (head.kind, head.flags, head.id) == (HEADERS, END_HEADERS, 1)
        asked = decoded(head.payload)
        assert asked[2:4] == [(":path", "/a.B/C"), (":authority", "localhost")]
        assert asked[-1] == ("name", "value")
        assert (data.payload, data.flags, end.payload, end.flags) == (b"request", 0, b"", END_STREAM)
        await peer.hear(
            frame(HEADERS, END_HEADERS, 1, block(OK)),
            frame(DATA, 0, 1, b"ans"),
            frame(DATA, PADDED, 1, b"\2wer\0\0"),
        )
        assert await call.receive() == b"answer"
        await peer.hear(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(TRAILERS)))
        assert await call.receive() == b""
        status = status_of(call)
        assert (status.code, status.message, status.details) == (5, "nö such", b"\1\2")
        second = peer.connection.call(request_headers("/a.B/D"))
        assert [one.id for one in await peer.said()] == [3]
        second.cancel()
        assert [(one.kind, one.payload) for one in await peer.said()] == [(RST_STREAM, number(8))]
        await peer.hear(frame(DATA, 0, 3, b"late"), frame(RST_STREAM, 0, 3, number(0)))

    play(scene)


def test_what_comes_in_pieces() -> None:
    """Frames may be cut anywhere, header blocks go on in other frames."""

    async def scene(peer: Peer) -> None:
        call = peer.connection.call(request_headers("/a.B/C"))
        answer = block([*OK, ("big", "x" * 20_000)])
        frames = b"".join(
            [
                frame(HEADERS, HAS_PRIORITY, 1, bytes(5) + answer[:9000]),
                frame(CONTINUATION, 0, 1, answer[9000:15000]),
                frame(CONTINUATION, END_HEADERS, 1, answer[15000:]),
                frame(PRIORITY, 0, 1, bytes(5)),
                frame(99, 0, 0, b"unknown"),
                frame(DATA, 0, 1, b"answer"),
                frame(PING, 0, 0, b"12345678"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, block(TRAILERS)),
            ]
        )
        await peer.said()
        for start in range(0, len(frames), 7):
            await peer.hear(frames[start : start + 7])
        assert await call.receive() == b"answer"
        assert dict(call.headers or ())["big"] == "x" * 20_000
        assert status_of(call).code == 5
        pong, reset = await peer.said()
        assert (pong.kind, pong.flags, pong.payload) == (PING, ACK, b"12345678")
        assert (reset.kind, reset.payload) == (RST_STREAM, number(0))  # the request was not over

    play(scene)


def test_a_big_request_has_a_block_of_several_frames() -> None:
    async def scene(peer: Peer) -> None:
        peer.connection.call(request_headers("/a.B/C", [("big", "x" * 40_000)]))
        frames = await peer.said()
        kinds = [(one.kind, one.flags) for one in frames]
        assert kinds == [(HEADERS, 0), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]
        asked = b"".join(one.payload for one in frames)
        assert decoded(asked)[-1] == ("big", "x" * 40_000)

    play(scene)


def sent(frames: list[Frame]) -> bytes:
    assert all(one.kind == DATA for one in frames)
    return b"".join(one.payload for one in frames)


def test_windows_are_kept_to() -> None:
    async def scene(peer: Peer) -> None:
        await peer.hear(frame(SETTINGS, 0, 0, struct.pack(">HIHI", 4, 10, 5, 16384)))
        await peer.said()
        call = peer.connection.call(request_headers("/a.B/C"))
        await peer.said()
        sending = asyncio.create_task(call.send(b"x" * 100_000))
        assert len(sent(await peer.said())) == 10
        await peer.hear(frame(WINDOW_UPDATE, 0, 1, number(5)))
        assert len(sent(await peer.said())) == 5
        await peer.hear(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 30)))  # 20 more than before
        acknowledged, *rest = await peer.said()
        assert acknowledged.kind == SETTINGS
        assert len(sent(rest)) == 20
        await peer.hear(frame(WINDOW_UPDATE, 0, 1, number(1 << 20)))
        frames = await peer.said()
        assert len(sent(frames)) == 65535 - 35
        assert max(len(one.payload) for one in frames) == 16384
        await peer.hear(frame(WINDOW_UPDATE, 0, 0, number(1 << 20)))
        assert len(sent(await peer.said())) == 100_000 - 65535
        await sending

    play(scene)


def test_the_peer_may_send_as_much_as_is_taken() -> None:
    async def scene(peer: Peer) -> None:
        call = peer.connection.call(request_headers("/a.B/C"))
        await peer.hear(frame(HEADERS, END_HEADERS, 1, block(OK)))
        await peer.said()
        for _ in range(http2.OWN_WINDOW // 16384):
            await peer.hear(frame(DATA, 0, 1, bytes(16384)))
        assert await peer.said() == []
        assert len(await call.receive()) == http2.OWN_WINDOW
        widened = (await peer.said())[-1]
        assert (widened.kind, widened.id, widened.payload) == (
            WINDOW_UPDATE,
            1,
            number(http2.OWN_WINDOW),
        )

    play(scene)


@pytest.mark.parametrize(("code", "status"), [(8, 1), (7, 14), (11, 8), (2, 13), (0, 13)])
def test_a_call_that_is_reset(code: int, status: int) -> None:
    async def scene(peer: Peer) -> None:
        call = peer.connection.call(request_headers("/a.B/C"))
        await peer.hear(frame(RST_STREAM, 0, 1, number(code)))
        assert await call.receive() == b""
        assert status_of(call).code == status
        await call.send(b"nobody hears it", end=True)
        assert [one.kind for one in await peer.said()] == [HEADERS]

    play(scene)


def test_a_peer_that_goes_away() -> None:
    async def scene(peer: Peer) -> None:
        first, second = (peer.connection.call(request_headers("/a.B/C")) for _ in range(2))
        await peer.hear(frame(GOAWAY, 0, 0, number(1) + number(0)))
        assert not first.ended
        assert await second.receive() == b""
        assert status_of(second).code == 14
        assert status_of(peer.connection.call(request_headers("/a.B/C"))).code == 14
        await first.send(b"more")
        await peer.hear(
            frame(HEADERS, END_HEADERS, 1, block(OK)),
            frame(DATA, 0, 1, b"answer"),
            frame(HEADERS, END_HEADERS | END_STREAM, 1, block(TRAILERS)),
            frame(GOAWAY, 0, 0, number(1) + number(0)),
        )
        assert await first.receive() == b"answer"
        assert await first.receive() == b""
        assert status_of(first).code == 5
        assert b"more" in [one.payload for one in await peer.said()]

    play(scene)


@pytest.mark.parametrize(
    "last", [frame(RST_STREAM, 0, 1, number(0)), frame(GOAWAY, 0, 0, number(1) + number(0))]
)
def test_an_answer_and_what_is_behind_it_come_together(last: bytes) -> None:
    """Nothing was sent to the peer's end of the call, which is over all the same."""

    async def scene(peer: Peer) -> None:
        call = peer.connection.call(request_headers("/a.B/C"))
        answer = frame(HEADERS, END_HEADERS | END_STREAM, 1, block([*OK, *TRAILERS]))
        await peer.hear(answer, last)
        assert await call.receive() == b""
        assert status_of(call).code == 5

    play(scene)


def test_answers_that_are_no_grpc() -> None:
    async def scene(peer: Peer) -> None:
        for id, answer, code in ((1, "404", 12), (3, "503", 14), (5, "418", 2)):
            call = peer.connection.call(request_headers("/a.B/C"))
            said = block([(":status", answer)])
            await peer.hear(frame(HEADERS, END_HEADERS | END_STREAM, id, said))
            assert status_of(call).code == code
        call = peer.connection.call(request_headers("/a.B/C"))
        peer.connection.close()
        assert status_of(call).code == 14

    play(scene)


@pytest.mark.parametrize(
    "frames",
    [
        frame(DATA, 0, 1, bytes(20_000)),
        frame(PUSH_PROMISE, 0, 1, b"x"),
        frame(CONTINUATION, 0, 1, b"x"),
        frame(HEADERS, 0, 1, b"x") + frame(PING, 0, 0, bytes(8)),
        frame(HEADERS, END_HEADERS, 1, b"\xff"),
        frame(HEADERS, PADDED | END_HEADERS, 1, b"\x09x"),
        frame(HEADERS, PADDED, 1),
        frame(WINDOW_UPDATE, 0, 0, b"x"),
        frame(RST_STREAM, 0, 1, b""),
        frame(SETTINGS, 0, 0, b"x"),
        frame(GOAWAY, 0, 0, b""),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 0)),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1 << 24)),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
        frame(DATA, 0, 1, bytes(16384)) * 65,
        frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, bytes(16384)) * 65,
        frame(HEADERS, END_HEADERS, 1, b"\x40\x01a\x7f\xa1\x1e" + bytes(4000) + b"\xbe" * 1000),
    ],
)
def test_peers_that_break_the_rules(frames: bytes) -> None:
    async def scene(peer: Peer) -> None:
        peer.connection.call(request_headers("/a.B/C"))
        with pytest.raises(BadPeer):
            await peer.hear(frames)

    play(scene)


def test_a_peer_that_asks_and_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "UNREAD", 4096)

    async def scene(peer: Peer) -> None:
        with pytest.raises(BadPeer, match="a peer that doesn't read"):
            await peer.hear(frame(PING, 0, 0, bytes(8)) * 1000)

    play(scene)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    async def scene(peer: Peer) -> None:
        peer.connection.call(request_headers("/a.B/C"))
        try:
            await peer.hear(data)
        except BadPeer:
            return

    play(scene)
