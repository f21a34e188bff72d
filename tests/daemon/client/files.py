"""Offers of files: directories the daemon reads (FileSync), results it sends back (FileSend), archives (Upload)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote_plus

import grpc
from attrs import define, field, frozen
from tests.daemon.client.serving import Context, Offer, metadata
from tests.daemon.client.treefilter import Filter
from tests.daemon.client.treereceiver import Received, receive
from tests.daemon.client.treesender import Change, Sent, root_owned, send

from pybuild.compiler.protos import filesync_pb2, fsutil_pb2, upload_pb2


@frozen
class Asked:
    """One transfer of a directory: what the daemon asked for and what was sent."""

    name: str
    filter: Filter
    metadata: Mapping[str, list[str]]
    sent: Sent


class Directories:
    """Directories by the names that `local://` sources have; `asked` records each transfer."""

    def __init__(self, directories: Mapping[str, Path], change: Change = root_owned) -> None:
        self._directories = directories
        self._change = change
        self.asked: list[Asked] = []

    def offer(self) -> Offer:
        return Offer(filesync_pb2.DESCRIPTOR.services_by_name["FileSync"], {"DiffCopy": self._diff_copy})

    def of(self, name: str) -> list[Asked]:
        return [one for one in self.asked if one.name == name]

    def _diff_copy(
        self, packets: Iterator[fsutil_pb2.Packet], context: Context
    ) -> Iterator[fsutil_pb2.Packet]:
        found = _decoded(metadata(context))
        name = found.get("dir-name", [""])[0]
        chosen = Filter(
            found.get("include-patterns", []), found.get("exclude-patterns", []), found.get("followpaths", [])
        )
        asked = Asked(name, chosen, found, Sent())
        self.asked.append(asked)
        if name not in self._directories:
            context.abort(grpc.StatusCode.NOT_FOUND, f'no access allowed to dir "{name}"')
        yield from send(self._directories[name], packets, chosen, self._change, asked.sent)


@define
class Written:
    """One stream of an exporter's: bytes, or files."""

    id: str
    metadata: Mapping[str, list[str]]
    data: bytes = b""
    files: Received = field(factory=Received)

    def told(self, key: str) -> str:
        """What the exporter says of the result: `exporter-md-KEY`, "" if nothing."""
        return self.metadata.get(f"exporter-md-{key}", [""])[0]


class Results:
    """Takes what exporters send, stream by stream; an exporter's id is its number in the Solve, from "0".

    `trees` are the ids of those that send files (`local`), each other one sends bytes.
    """

    def __init__(self, *trees: str) -> None:
        self._trees = trees
        self.streams: list[Written] = []

    def offer(self) -> Offer:
        service = filesync_pb2.DESCRIPTOR.services_by_name["FileSend"]
        return Offer(service, {"DiffCopy": self._diff_copy}, raw=True)

    def of(self, id: str) -> list[Written]:
        return [one for one in self.streams if one.id == id]

    @property
    def only(self) -> Written:
        (found,) = self.streams
        return found

    def _diff_copy(self, messages: Iterator[bytes], context: Context) -> Iterator[bytes]:
        found = metadata(context)
        written = Written(found.get("buildkit-attachable-exporter-id", ["0"])[0] or "0", found)
        self.streams.append(written)
        if written.id in self._trees:
            for packet in receive(map(fsutil_pb2.Packet.FromString, messages), written.files):
                yield packet.SerializeToString()
        else:
            read = filesync_pb2.BytesMessage.FromString
            written.data = b"".join(read(message).data for message in messages)


def upload(archives: Mapping[str, bytes]) -> Offer:
    """Archives by the last part of their `http://buildkit-session/` address."""

    def pull(_: object, context: Context) -> Iterator[upload_pb2.BytesMessage]:
        path = metadata(context).get("urlpath", [""])[0].rpartition("/")[2]
        if path not in archives:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no archive {path!r}")
        data = archives[path]
        for at in range(0, len(data), 32 << 10):
            yield upload_pb2.BytesMessage(data=data[at : at + (32 << 10)])

    return Offer(upload_pb2.DESCRIPTOR.services_by_name["Upload"], {"Pull": pull})


def _decoded(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Values are percent-encoded where one of a key's is not ASCII; then another key says so."""
    return {
        key: [unquote_plus(value) for value in values] if found.get(f"{key}-encoded") == ["1"] else values
        for key, values in found.items()
    }
