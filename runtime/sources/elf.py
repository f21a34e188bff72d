"""Reads the dynamic linking data of ELF programs and libraries (System V gABI, chapters 4 and 5)."""

from __future__ import annotations

from struct import Struct, error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

MAGIC = b"\x7fELF"

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_RPATH, DT_RUNPATH = 1, 5, 10, 15, 29

LARGEST_TABLE = 64 << 20
"""Most bytes of a program header table, dynamic section or string table; a larger one counts as damage."""


class BadElf(Exception):
    """The file begins as ELF, but its headers are damaged."""


class Elf:
    """The dynamic linking data of a file. `interpreter` is "" for a library or a static program; `rpath` and
    `runpath` are colon-separated lists as written, with `$ORIGIN`. `bits` is 32 or 64, `machine` the number of the
    architecture (EM_X86_64 is 62), `order` the byte order for `struct`. `dynamic` tells that there is a dynamic
    section."""

    __slots__ = ("bits", "dynamic", "interpreter", "machine", "needed", "order", "rpath", "runpath")

    def __init__(
        self,
        machine: int,
        bits: int,
        order: str,
        *,
        interpreter: str = "",
        needed: Sequence[str] = (),
        rpath: str = "",
        runpath: str = "",
        dynamic: bool = False,
    ) -> None:
        self.machine = machine
        self.bits = bits
        self.order = order
        self.interpreter = interpreter
        self.needed = tuple(needed)
        self.rpath = rpath
        self.runpath = runpath
        self.dynamic = dynamic

    @property
    def kind(self) -> tuple[int, int, str]:
        """The properties that a program and its libraries must share."""
        return (self.machine, self.bits, self.order)


class _Reader:
    """Reads bounded pieces at absolute offsets. Raises BadElf for offsets beyond the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def at(self, offset: int, size: int) -> bytes:
        if size > LARGEST_TABLE:
            raise BadElf(f"a table of {size} bytes")
        try:
            self._file.seek(offset)
        except (OSError, OverflowError, ValueError):
            raise BadElf(f"an offset of {offset}") from None
        data = self._file.read(size)
        if len(data) < size:
            raise BadElf("it is cut short")
        return data


def read_elf(file: BinaryIO) -> Elf | None:
    """Read an open file; None if it does not begin as ELF. Raises BadElf, OSError."""
    ident = file.read(16)
    if ident[:4] != MAGIC:
        return None
    if len(ident) < 16 or ident[4] not in (1, 2) or ident[5] not in (1, 2):
        raise BadElf("its identification is invalid")
    bits, order = 32 * ident[4], "<" if ident[5] == 1 else ">"
    try:
        return _read(_Reader(file), bits, order)
    except error:
        raise BadElf("it is cut short") from None


def _read(reader: _Reader, bits: int, order: str) -> Elf:
    # e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize, e_phentsize, e_phnum
    form = Struct(order + ("HHIQQQIHHH" if bits == 64 else "HHIIIIIHHH"))
    head = form.unpack(reader.at(16, form.size))
    machine, table, entry_size, count = head[1], head[4], head[8], head[9]
    loads: list[tuple[int, int, int]] = []
    interpreter, dynamic = "", b""
    for kind, offset, address, size in _segments(reader, bits, order, table, entry_size, count):
        if kind == PT_LOAD:
            loads.append((address, offset, size))
        elif kind == PT_INTERP:
            interpreter = _text(reader.at(offset, size), 0)
        elif kind == PT_DYNAMIC:
            dynamic = reader.at(offset, size)
    if not dynamic:
        return Elf(machine, bits, order, interpreter=interpreter)
    entries = list(Struct(order + ("qQ" if bits == 64 else "iI")).iter_unpack(_whole(dynamic, bits)))
    values: dict[int, int] = {}
    needed: list[int] = []
    for tag, value in entries:
        if tag == 0:
            break
        if tag == DT_NEEDED:
            needed.append(value)
        else:
            values.setdefault(tag, value)
    strings = b""
    if DT_STRTAB in values:
        strings = reader.at(_offset(loads, values[DT_STRTAB]), values.get(DT_STRSZ, 0))
    return Elf(
        machine,
        bits,
        order,
        interpreter=interpreter,
        needed=[_text(strings, offset) for offset in needed],
        rpath=_text(strings, values[DT_RPATH]) if DT_RPATH in values else "",
        runpath=_text(strings, values[DT_RUNPATH]) if DT_RUNPATH in values else "",
        dynamic=True,
    )


def _segments(
    reader: _Reader, bits: int, order: str, table: int, entry_size: int, count: int
) -> list[tuple[int, int, int, int]]:
    """Return (type, file offset, address, bytes in the file) of each program header."""
    form = Struct(order + ("IIQQQQ" if bits == 64 else "IIIII"))
    if count and entry_size < form.size:
        raise BadElf("its program headers are too small")
    data = reader.at(table, entry_size * count)
    segments = []
    for start in range(0, entry_size * count, entry_size or 1):
        fields = form.unpack_from(data, start)
        if bits == 64:
            kind, _, offset, address, _, size = fields
        else:
            kind, offset, address, _, size = fields
        segments.append((kind, offset, address, size))
    return segments


def _whole(dynamic: bytes, bits: int) -> bytes:
    """Cut a dynamic section to a whole number of entries."""
    entry = bits // 4
    return dynamic[: len(dynamic) // entry * entry]


def _offset(loads: list[tuple[int, int, int]], address: int) -> int:
    """Return the file offset of a virtual address."""
    for start, offset, size in loads:
        if start <= address < start + size:
            return offset + address - start
    raise BadElf("its string table lies in no segment")


def _text(data: bytes, start: int) -> str:
    end = data.find(b"\0", start)
    if start >= len(data) and data:
        raise BadElf("a name lies beyond the string table")
    return data[start : end if end >= 0 else len(data)].decode("utf-8", "surrogateescape")
