"""Small ELF files and loader caches written by hand from the format's tables."""

from __future__ import annotations

import struct
from collections.abc import Sequence

X86_64, AARCH64, I386 = 62, 183, 3


def elf(
    *,
    machine: int = X86_64,
    bits: int = 64,
    order: str = "<",
    interpreter: str = "",
    needed: Sequence[str] = (),
    rpath: str = "",
    runpath: str = "",
) -> bytes:
    """A file with the headers a loader reads, and nothing to run. Addresses are 0x10000 above offsets."""
    wide = bits == 64
    head_size, entry_size = (64, 56) if wide else (52, 32)
    strings = b"\0"
    dynamic: list[tuple[int, int]] = []
    for tag, texts in ((1, needed), (15, [rpath] if rpath else []), (29, [runpath] if runpath else [])):
        for text in texts:
            dynamic.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    start = head_size + 3 * entry_size
    interp = interpreter.encode() + b"\0" if interpreter else b""
    strings_at = start + len(interp)
    dynamic_at = strings_at + len(strings)
    dynamic += [(5, 0x10000 + strings_at), (10, len(strings)), (0, 0)]
    table = b"".join(struct.pack(order + ("qQ" if wide else "iI"), *entry) for entry in dynamic)
    size = dynamic_at + len(table)

    def segment(kind: int, offset: int, length: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, 4, offset, 0x10000 + offset, 0, length, length, 4096)
        return struct.pack(order + "IIIIIIII", kind, offset, 0x10000 + offset, 0, length, length, 4, 4096)

    segments = segment(1, 0, size) + segment(2, dynamic_at, len(table))
    segments += segment(3, start, len(interp)) if interp else segment(4, 0, 0)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    head = ident + struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        3, machine, 1, 0, head_size, 0, 0, head_size, entry_size, 3, 0, 0, 0,
    )  # fmt: skip
    return head + segments + interp + strings + table


def cache(libraries: Sequence[tuple[str, str, int]], *, old: bool = False) -> bytes:
    """An ld.so.cache of (name, path, hwcap), alone or after a part in the old format."""
    strings = b""
    entries = []
    base = 48 + 24 * len(libraries)
    for name, path, hwcap in libraries:
        at = base + len(strings)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        entries.append(struct.pack("=iIIIQ", 0x303, at, at + len(name) + 1, 0, hwcap))
    head = b"glibc-ld.so.cache1.1" + struct.pack("=II", len(libraries), len(strings)) + bytes(20)
    both = head + b"".join(entries) + strings
    return b"ld.so-1.7.0\0" + struct.pack("=I", 0) + both if old else both
