"""Protobuf's wire format: the primitives that LLB needs.

It is written by hand so that a build needs no protobuf library, and so that encodings are canonical: fields in the
caller's order, zero values left out, repeated numbers packed. Readers accept what any protobuf reader accepts and
raise `DefinitionError` for anything else.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    T = TypeVar("T")

MAX_SIZE = 64 << 20
"""The most bytes of one definition. BuildKit limits its gRPC messages to 16 MiB."""

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)


class DefinitionError(UserError):
    """Bytes that are not an LLB definition, or a graph that can't be encoded as one."""


# Writing


def varint(value: int) -> bytes:
    """Encode a base-128 number; a negative one as its 64-bit two's complement, in ten bytes."""
    if 0 <= value < 128:
        return bytes((value,))
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """Encode an int64, enum or bool field; zero gives no bytes."""
    if not value:
        return b""
    _check(value, -(1 << 63), 1 << 63, "64 bits with a sign")
    return varint(field << 3) + varint(value)


def int32(field: int, value: int) -> bytes:
    _check(value, -(1 << 31), 1 << 31, "32 bits with a sign")
    return varint(field << 3) + varint(value) if value else b""


def uint32(field: int, value: int) -> bytes:
    _check(value, 0, 1 << 32, "32 bits without a sign")
    return varint(field << 3) + varint(value) if value else b""


def uint64(field: int, value: int) -> bytes:
    _check(value, 0, 1 << 64, "64 bits without a sign")
    return varint(field << 3) + varint(value) if value else b""


def _check(value: int, low: int, end: int, kind: str) -> None:
    if not low <= value < end:
        raise DefinitionError(f"the number {value} does not fit into {kind}")


def present_number(field: int, value: int) -> bytes:
    """Encode a number field even if it is zero: a member of a oneof, or a key or value of a map entry."""
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes) -> bytes:
    """Encode a length-delimited field, even an empty one: a message, or an element of a repeated field."""
    return varint(field << 3 | BYTES) + varint(len(data)) + data


def utf8(value: str) -> bytes:
    """Encode a string as UTF-8, the only encoding of protobuf strings. Raises `DefinitionError`."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise DefinitionError(
            f"the text {value!r} is not valid Unicode",
            help="LLB holds text as UTF-8; names in another encoding can't be part of a definition",
        ) from None


def shown(value: str) -> bytes:
    """Encode text that is shown to people and is in no digest; question marks replace what isn't valid Unicode."""
    return value.encode("utf-8", "replace")


def text(field: int, value: str) -> bytes:
    """Encode a string field; an empty string gives no bytes."""
    return block(field, utf8(value)) if value else b""


def data(field: int, value: bytes) -> bytes:
    """Encode a bytes field; empty bytes give nothing."""
    return block(field, value) if value else b""


def texts(field: int, values: Iterable[str]) -> bytes:
    """Encode a repeated string field; empty elements are kept."""
    return b"".join(block(field, utf8(value)) for value in values)


def packed(field: int, values: Sequence[int], *, bits: int = 64) -> bytes:
    """Encode repeated int64 or int32 numbers as one packed field; no numbers give no bytes."""
    for value in values:
        _check(value, -(1 << (bits - 1)), 1 << (bits - 1), f"{bits} bits with a sign")
    body = b"".join(map(varint, values))
    return block(field, body) if body else b""


def mapping(field: int, items: Mapping[str, T], write: Callable[[T], bytes]) -> bytes:
    """Encode a map with string keys, entries ordered by the bytes of the key. `write` encodes field 2 of an entry."""
    entries = sorted((utf8(key), value) for key, value in items.items()) if len(items) > 1 else None
    if entries is None:
        entries = [(utf8(key), value) for key, value in items.items()]
    return b"".join(block(field, block(1, key) + write(value)) for key, value in entries)


# Reading


def fields(message: str, payload: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield the field number, wire type and value of each field, in order.

    `message` is the message's name in errors. Raises `DefinitionError` for truncated or malformed input, and for
    groups, which LLB doesn't have.
    """
    at, end = 0, len(payload)
    while at < end:
        tag, at = _varint(message, payload, at)
        field, wire = tag >> 3, tag & 7
        if not 0 < field < 1 << 29:
            raise DefinitionError(f"{message}: {field} is no field number")
        if wire == VARINT:
            value, at = _varint(message, payload, at)
            yield field, wire, value
            continue
        if wire == BYTES:
            size, at = _varint(message, payload, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise DefinitionError(f"{message}: field {field} has the wire type {wire}, which LLB never uses")
        if size > end - at:
            raise DefinitionError(
                f"{message}: field {field} is cut off: {size} bytes announced, {end - at} left"
            )
        yield field, wire, payload[at : at + size]
        at += size


def _varint(message: str, payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    # Ten bytes of seven bits hold 64 bits.
    for shift in range(0, 70, 7):
        if at >= len(payload):
            raise DefinitionError(f"{message}: a number is cut off at byte {at}")
        byte = payload[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >= 1 << 64:
                break
            return value, at
    raise DefinitionError(f"{message}: a number at byte {at} is longer than 64 bits")


class Message:
    """The fields of one message, read by number and type.

    The rules are protobuf's: the last of several scalars counts, several occurrences of a singular message are pieces
    of one message, and repeated numbers may be packed or not. `known` are the field numbers of the message; with
    `strict` any other is refused, because dropping it would change the digest of what is read.
    """

    __slots__ = ("_fields", "name")

    def __init__(self, name: str, payload: bytes, known: Iterable[int], *, strict: bool = True) -> None:
        self.name = name
        self._fields: dict[int, list[tuple[int, int | bytes]]] = {}
        known = frozenset(known)
        for field, wire, value in fields(name, payload):
            if field not in known:
                if strict:
                    raise DefinitionError(
                        f"{name}: unknown field {field}",
                        help="the definition was made by a later client; "
                        "dropping the field would change what the step is, so it is refused",
                    )
                continue
            self._fields.setdefault(field, []).append((wire, value))

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def _last(self, field: int, wire: int) -> int | bytes | None:
        values = self._fields.get(field)
        if values is None:
            return None
        for actual, _ in values:
            if actual != wire:
                raise self._wrong(field, actual)
        return values[-1][1]

    def _wrong(self, field: int, wire: int) -> DefinitionError:
        return DefinitionError(f"{self.name}: field {field} has the wrong wire type {wire}")

    def _all(self, field: int) -> Iterator[bytes]:
        for wire, value in self._fields.get(field, ()):
            if not isinstance(value, bytes) or wire != BYTES:
                raise self._wrong(field, wire)
            yield value

    def _unsigned(self, field: int) -> int:
        value = self._last(field, VARINT)
        return value if isinstance(value, int) else 0

    def int64(self, field: int) -> int:
        return signed64(self._unsigned(field))

    def uint64(self, field: int) -> int:
        return self._unsigned(field)

    def int32(self, field: int) -> int:
        return signed32(self._unsigned(field))

    def uint32(self, field: int) -> int:
        return self._unsigned(field) & 0xFFFFFFFF

    def boolean(self, field: int) -> bool:
        return self._unsigned(field) != 0

    def data(self, field: int) -> bytes:
        value = self._last(field, BYTES)
        return value if isinstance(value, bytes) else b""

    def text(self, field: int) -> str:
        return self._text(field, self.data(field))

    def texts(self, field: int) -> tuple[str, ...]:
        return tuple(self._text(field, value) for value in self._all(field))

    def _text(self, field: int, value: bytes) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise DefinitionError(f"{self.name}: field {field} is not valid UTF-8") from None

    def message(self, field: int) -> bytes | None:
        """Return the payload of a singular message; None if it is absent."""
        return b"".join(self._all(field)) if field in self._fields else None

    def messages(self, field: int) -> list[bytes]:
        """Return the payloads of a repeated message."""
        return list(self._all(field))

    def int64s(self, field: int) -> tuple[int, ...]:
        return tuple(map(signed64, self._numbers(field)))

    def int32s(self, field: int) -> tuple[int, ...]:
        return tuple(map(signed32, self._numbers(field)))

    def _numbers(self, field: int) -> Iterator[int]:
        for wire, value in self._fields.get(field, ()):
            if isinstance(value, int):
                yield value
            elif wire == BYTES:
                at = 0
                while at < len(value):
                    item, at = _varint(self.name, value, at)
                    yield item
            else:
                raise self._wrong(field, wire)

    def mapping(self, field: int, read: Callable[[Message], T], *, strict: bool = True) -> dict[str, T]:
        """Return a map with string keys; `read` decodes field 2 of an entry."""
        out = {}
        for entry in self._all(field):
            item = Message(f"{self.name} entry of field {field}", entry, (1, 2), strict=strict)
            out[item.text(1)] = read(item)
        return out


def signed64(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def signed32(value: int) -> int:
    """Return the low 32 bits of a number as a signed one, as protobuf readers take an int32."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
