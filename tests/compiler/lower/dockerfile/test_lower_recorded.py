"""The same vertices and configs as BuildKit: what `record.py` kept of its builds.

The BuildKit recorded (0.13) writes all fields of an op by number, today's Go client a oneof's members last; its
secrets and sockets have input 0, today's -1. The test goes back to the older form before it takes digests.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.compiler.lower.dockerfile.world import AMD64, World

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.graph import Vertex, walk
from pybuild.compiler.image_export import Layer, finish
from pybuild.compiler.lower.dockerfile import LowerOptions, lower
from pybuild.compiler.lower.step_defaults import StepDefaults
from pybuild.compiler.ops import ExecOp, Platform
from pybuild.lang.dockerfile.parse import parse
from pybuild.lang.source import Source

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))


class Replay(World):
    """Answers with the base image of a record."""

    def __init__(self, record: dict[str, Any]) -> None:
        super().__init__()
        self.record = record

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        assert ref == self.record["reference"]
        assert platform == AMD64
        return ResolvedImage(ref, self.record["digest"], json.dumps(self.record["base"]).encode())


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _length(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def by_number(payload: bytes, inputs: list[str]) -> bytes:
    """An op's bytes with its fields in order of number and the digests of its inputs replaced."""
    fields = []
    at = 0
    digests = iter(inputs)
    while at < len(payload):
        tag, body = _varint(payload, at)
        size, start = _varint(payload, body)
        assert tag & 7 == 2
        content = payload[start : start + size]
        if tag >> 3 == 1:
            content = content[:2] + next(digests).encode() + content[73:]
        fields.append((tag >> 3, _length(tag) + _length(len(content)) + content))
        at = start + size
    return b"".join(field for _, field in sorted(fields, key=lambda field: field[0]))


def older_payload(vertex: Vertex) -> bytes:
    if not isinstance(vertex.op, ExecOp):
        return vertex.payload
    mounts = (
        evolve(mount, input=0) if mount.secret_opt is not None or mount.ssh_opt is not None else mount
        for mount in vertex.op.mounts
    )
    return evolve(vertex, op=evolve(vertex.op, mounts=tuple(mounts))).payload


def older_digests(vertices: list[Vertex]) -> dict[str, str]:
    """Names by the digest the recorded BuildKit gives."""
    known: dict[str, str] = {}
    for vertex in vertices:
        inputs = [known[edge.vertex.digest] for edge in vertex.inputs]
        known[vertex.digest] = "sha256:" + sha256(by_number(older_payload(vertex), inputs)).hexdigest()
    return {known[vertex.digest]: vertex.name for vertex in vertices}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_vertices_and_config_are_those_of_buildkit(path: Path) -> None:
    record = json.loads(path.read_text())
    options = LowerOptions(
        build_platforms=(AMD64,), image_resolve_mode="local", steps=StepDefaults(network="host")
    )
    result = lower(parse(Source("Dockerfile", record["dockerfile"])), options, Replay(record))
    vertices = list(walk([result.edge])) if result.edge is not None else []
    assert older_digests(vertices) == record["vertices"]

    stored = json.loads(record["config"])
    times = [entry["created"] for entry in stored["history"] if not entry.get("empty_layer")]
    layers = [Layer(*pair) for pair in zip(stored["rootfs"]["diff_ids"] or [], times, strict=True)]
    assert finish(result.image.to_json(), layers).decode() == record["config"]


def test_there_are_records() -> None:
    assert len(RECORDED) >= 8
