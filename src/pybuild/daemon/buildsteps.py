"""The graph of a build in a provenance predicate: its ops in the JSON that Go makes of BuildKit's messages,
named step0, step1, ….

Steps come in the order in which they depend on one another, the result last.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from google.protobuf.descriptor import FieldDescriptor

from pybuild.compiler.protos import ops_pb2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from google.protobuf.message import Message

_UNNAMED = ("local.session", "local.unique")
"""Attributes of sources that describe a client, not what is built."""
_ONEOFS = {"pb.Op": "Op", "pb.FileAction": "Action", "pb.UserOpt": "User"}
"""Messages whose `oneof` is an object of its own in the JSON, by the key of that object."""
_KEPT = {"pb.FileAction": ("input", "secondaryInput", "output")}
"""Fields that are written even when they are zero."""
_BY_ID = {"byID": "byId"}


class Steps:
    """The steps of a graph: `definition` in order, and `numbers` by the digest of a step's op."""

    def __init__(self, definition: ops_pb2.Definition) -> None:
        self.numbers: dict[str, int] = {}
        self.definition: list[dict[str, object]] = []
        ops = {_digest(data): ops_pb2.Op.FromString(data) for data in getattr(definition, "def")}
        if ops:
            # A definition ends with the op that names its result.
            self._add(ops, next(reversed(ops)))

    @property
    def mapping(self) -> dict[str, str]:
        """Return the name of each step by the digest of its op."""
        return {digest: f"step{number}" for digest, number in sorted(self.numbers.items())}

    def _add(self, ops: Mapping[str, ops_pb2.Op], last: str) -> None:
        """Add the steps that `last` depends on, then `last`."""
        # A stack of its own, as graphs are deeper than Python's.
        pending = [(last, False)]
        while pending:
            digest, inputs_added = pending.pop()
            if digest in self.numbers:
                continue
            op = ops[digest]
            if not inputs_added:
                pending.append((digest, True))
                pending += [
                    (edge.digest, False) for edge in reversed(op.inputs) if edge.digest not in self.numbers
                ]
                continue
            number = self.numbers[digest] = len(self.definition)
            self.definition.append(self._step(number, op))

    def _step(self, number: int, op: ops_pb2.Op) -> dict[str, object]:
        inputs = [f"step{self.numbers[edge.digest]}:{edge.index}" for edge in op.inputs]
        shown = ops_pb2.Op()
        shown.CopyFrom(op)
        del shown.inputs[:]
        for name in _UNNAMED:
            if shown.HasField("source"):
                shown.source.attrs.pop(name, None)
        step: dict[str, object] = {"id": f"step{number}", "op": as_json(shown)}
        if inputs:
            step["inputs"] = inputs
        return step


def sources_of(definition: ops_pb2.Definition, steps: Steps) -> dict[str, object]:
    """Return the files that a graph was made from, with the place of each step in them; nothing for a graph
    without."""
    if not definition.Source.infos:
        return {}
    infos = []
    for info in definition.Source.infos:
        steps_of_source = Steps(info.definition)
        shown = {
            "filename": info.filename,
            "language": info.language,
            "data": b64encode(info.data).decode(),
            "llbDefinition": steps_of_source.definition,
            "digestMapping": steps_of_source.mapping,
        }
        infos.append({name: value for name, value in shown.items() if value})
    locations = {
        f"step{steps.numbers[digest]}": as_json(location)
        for digest, location in sorted(definition.Source.locations.items())
        if digest in steps.numbers
    }
    return {"locations": locations, "infos": infos}


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as Go's `encoding/json` writes it: names as in the protocol, numbers as numbers, zeros left
    out."""
    kind = message.DESCRIPTOR.full_name
    out: dict[str, Any] = {name: getattr(message, name) for name in _KEPT.get(kind, ())}
    inside: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        place = inside if descriptor.containing_oneof is not None and kind in _ONEOFS else out
        place[_BY_ID.get(descriptor.name, descriptor.name)] = _field(descriptor, value)
    if kind in _ONEOFS:
        out[_ONEOFS[kind]] = inside
    return out


def _field(descriptor: FieldDescriptor, value: Any) -> Any:
    if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
        item = descriptor.message_type.fields_by_name["value"]
        return {str(key): _value(item, value[key]) for key in sorted(value)}
    if descriptor.is_repeated:
        return [_value(descriptor, item_value) for item_value in value]
    return _value(descriptor, value)


def _value(descriptor: FieldDescriptor, value: Any) -> Any:
    if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
        return as_json(value)
    if descriptor.type == FieldDescriptor.TYPE_BYTES:
        return b64encode(value).decode()
    return value


def _digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()
