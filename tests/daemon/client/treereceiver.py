"""fsutil's receiver: packets become a tree of values, or a directory."""

from __future__ import annotations

import os
import queue
import stat
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field
from tests.daemon.client.gomode import TYPE, from_go

from pybuild.compiler.protos import fsutil_pb2

Packet = fsutil_pb2.Packet


@define
class Received:
    """What was sent: what was said of each file, in order, and the bytes of the regular ones. `error` is what the
    sender ended with, if it failed."""

    stats: dict[str, fsutil_pb2.Stat] = field(factory=dict)
    data: dict[str, bytes] = field(factory=dict)
    error: str = ""

    def write(self, root: Path) -> None:
        """Make these files in a directory, without owners."""
        root.mkdir(parents=True, exist_ok=True)
        for path, told in self.stats.items():
            target, mode = root / path, from_go(told.mode)
            if stat.S_ISDIR(mode):
                target.mkdir(exist_ok=True)
            elif stat.S_ISLNK(mode):
                target.symlink_to(told.linkname)
            elif stat.S_ISREG(mode) and told.linkname:
                target.hardlink_to(root / told.linkname)
            elif stat.S_ISREG(mode):
                target.write_bytes(self.data[path])
        for path, told in reversed(self.stats.items()):
            if not stat.S_ISLNK(from_go(told.mode)):
                os.chmod(root / path, from_go(told.mode) & 0o7777)
                os.utime(root / path, ns=(told.modTime, told.modTime))


def receive(packets: Iterator[fsutil_pb2.Packet], into: Received) -> Iterator[fsutil_pb2.Packet]:
    """What to answer: every regular file is asked for. `into` is filled as packets come."""
    asks: queue.Queue[fsutil_pb2.Packet] = queue.Queue()
    files: dict[int, str] = {}
    parts: dict[str, list[bytes]] = {}
    open_files, all_told, number = 0, False, 0
    for packet in packets:
        if packet.type == Packet.PACKET_STAT and packet.HasField("stat"):
            told = packet.stat
            into.stats[told.path] = told
            if not told.mode & TYPE and not told.linkname:
                files[number], parts[told.path] = told.path, []
                open_files += 1
                asks.put(Packet(type=Packet.PACKET_REQ, ID=number))
            number += 1
        elif packet.type == Packet.PACKET_STAT:
            all_told = True
        elif packet.type == Packet.PACKET_DATA and packet.data:
            parts[files[packet.ID]].append(packet.data)
        elif packet.type == Packet.PACKET_DATA:
            into.data[files[packet.ID]] = b"".join(parts.pop(files[packet.ID]))
            open_files -= 1
        elif packet.type == Packet.PACKET_ERR:
            into.error = packet.data.decode()
            return
        elif packet.type == Packet.PACKET_FIN:
            return
        while not asks.empty():
            yield asks.get()
        if all_told and not open_files:
            all_told = False
            yield Packet(type=Packet.PACKET_FIN)
