"""fsutil's sender: a directory as packets, the bytes of those files that are asked for."""

from __future__ import annotations

import os
import queue
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
from attrs import field, frozen
from tests.daemon.client.gomode import TYPE, to_go
from tests.daemon.client.treefilter import Filter, walk

from pybuild.compiler.protos import fsutil_pb2

Packet = fsutil_pb2.Packet
Change = Callable[[fsutil_pb2.Stat], None]
"""May alter what is said of a file before it is sent."""

CHUNK = 32 << 10


@frozen
class Sent:
    """What one transfer came to: paths announced, and those whose bytes were asked for."""

    announced: list[str] = field(factory=list)
    requested: list[str] = field(factory=list)


def root_owned(found: fsutil_pb2.Stat) -> None:
    """As BuildKit's clients do with contexts: owners are the daemon's business."""
    found.uid = found.gid = 0


def send(
    root: Path,
    received: Iterator[fsutil_pb2.Packet],
    chosen: Filter = Filter(),  # noqa: B008
    change: Change = root_owned,
    sent: Sent | None = None,
) -> Iterator[fsutil_pb2.Packet]:
    """The packets to send, those of the receiver being `received`."""
    sent = sent or Sent()
    files: dict[int, str] = {}
    asked = _listen(received)
    seen: dict[tuple[int, int], str] = {}
    for path in walk(root, chosen):
        found = describe(root, path, seen)
        if found is None:
            continue
        change(found)
        if not found.mode & TYPE:
            files[len(sent.announced)] = path
        sent.announced.append(path)
        yield Packet(type=Packet.PACKET_STAT, stat=found)
    yield Packet(type=Packet.PACKET_STAT)
    while (packet := asked.get()) is not None:
        if packet.type == Packet.PACKET_REQ:
            sent.requested.append(files[packet.ID])
            yield from _data(root / files[packet.ID], packet.ID)
        elif packet.type == Packet.PACKET_FIN:
            yield Packet(type=Packet.PACKET_FIN)
            return
        elif packet.type == Packet.PACKET_ERR:
            return


def describe(root: Path, path: str, seen: dict[tuple[int, int], str]) -> fsutil_pb2.Stat | None:
    """What fsutil says of a file; None of a socket. `seen` finds the second name of an inode."""
    found = os.lstat(root / path)
    if stat.S_ISSOCK(found.st_mode):
        return None
    told = fsutil_pb2.Stat(
        path=path,
        mode=to_go(found.st_mode),
        uid=found.st_uid,
        gid=found.st_gid,
        modTime=found.st_mtime_ns,
        xattrs=_xattrs(root / path),
    )
    if stat.S_ISLNK(found.st_mode):
        told.linkname = os.readlink(root / path)
        told.size = len(os.fsencode(told.linkname))
    elif stat.S_ISREG(found.st_mode):
        told.size = found.st_size
        first = seen.setdefault((found.st_dev, found.st_ino), path) if found.st_nlink > 1 else path
        if first != path:
            told.linkname, told.size = first, 0
    elif stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        told.devmajor, told.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return told


def _xattrs(path: Path) -> dict[str, bytes]:
    names = os.listxattr(path, follow_symlinks=False)
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}


def _data(path: Path, id: int) -> Iterator[fsutil_pb2.Packet]:
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            yield Packet(type=Packet.PACKET_DATA, ID=id, data=data)
    yield Packet(type=Packet.PACKET_DATA, ID=id)


def _listen(received: Iterator[fsutil_pb2.Packet]) -> queue.Queue[fsutil_pb2.Packet | None]:
    """Its packets, taken while the walk goes on, and None at the end."""
    found: queue.Queue[fsutil_pb2.Packet | None] = queue.Queue()

    def listen() -> None:
        try:
            for packet in received:
                found.put(packet)
        except grpc.RpcError:
            pass  # the daemon has ended the call
        finally:
            found.put(None)

    threading.Thread(target=listen, daemon=True).start()
    return found
