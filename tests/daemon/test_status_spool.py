"""What a Solve has said comes again as it was, from memory or from a file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pybuild.daemon import status_spool
from pybuild.daemon.jobs import Jobs
from pybuild.daemon.status_spool import StatusSpool


@given(st.lists(st.binary(max_size=40)), st.integers(0, 200))
def test_messages_come_again(messages: list[bytes], most: int) -> None:
    before, status_spool.IN_MEMORY = status_spool.IN_MEMORY, most
    try:
        kept = StatusSpool("/tmp")
        for number, message in enumerate(messages):
            kept.append(message)
            assert len(kept) == number + 1
            assert kept[number] == message
        assert [kept[number] for number in range(len(kept))] == messages
        kept.close()
        kept.close()
    finally:
        status_spool.IN_MEMORY = before


def test_it_leaves_no_file(tmp_path: Path) -> None:
    kept = StatusSpool(str(tmp_path))
    kept.append(bytes(status_spool.IN_MEMORY))
    kept.append(b"x")
    assert (kept[1], os.listdir(tmp_path)) == (b"x", [])
    kept.close()


def test_listeners_hear_all_from_the_first(tmp_path: Path) -> None:
    """Those who listen from the start, in the middle and at the end hear the same."""
    big = bytes(status_spool.IN_MEMORY // 3)

    async def main() -> list[list[bytes]]:
        jobs = Jobs(str(tmp_path))
        job = await jobs.start("ref", bridged=False)
        assert job is not None
        assert await jobs.start("ref", bridged=False) is None

        async def listen() -> list[bytes]:
            found = await jobs.get("ref", 1.0)
            assert found is job
            return [message async for message in found.messages()]

        listeners = [asyncio.create_task(listen())]
        for number in range(8):
            if number == 4:
                listeners.append(asyncio.create_task(listen()))
            await job.say(big + bytes([number]))
            await asyncio.sleep(0)
        listeners.append(asyncio.create_task(listen()))
        await asyncio.sleep(0.01)
        await jobs.end(job)
        assert jobs.now("ref") is None
        assert await jobs.get("ref", 0.01) is None
        assert await job.bridge() is None
        return list(await asyncio.gather(*listeners))

    heard = asyncio.run(main())
    assert heard == [[big + bytes([number]) for number in range(8)]] * 3
