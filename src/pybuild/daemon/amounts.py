"""Amounts of disk space, as buildkitd's configuration writes them."""

from __future__ import annotations

import os
import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_WITHOUT_DISK = 2_000_000_000


def parse_space(text: str) -> tuple[int, int]:
    """Bytes, and percents of the disk where those are 0: `512MB` (powers of 1024), `1024`, `10%`, nothing. Raises
    ValueError."""
    text = text.strip().strip('"')
    if not text:
        return 0, 0
    if text.endswith("%") and text[:-1].isdecimal():
        return 0, int(text[:-1])
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"invalid disk space {text}")
    return int(float(found[1]) * 1024 ** " kmgtp".index(found[2].lower() or " ")), 0


def in_bytes(space: tuple[int, int], root: str) -> int:
    """Bytes of a space on the disk of `root`; percents are rounded up to whole gigabytes."""
    count, percents = space
    if count or not percents:
        return count
    size = disk_size(root)
    return (size * percents // 100 // (1 << 30) + 1) * 1_000_000_000 if size else _WITHOUT_DISK


def disk_size(root: str) -> int:
    """That of the disk which `root` is on, or will be; 0 where it can't be known."""
    while not os.path.isdir(root) and root not in ("", "/"):
        root = os.path.dirname(root)
    try:
        found = os.statvfs(root)
    except OSError:
        return 0
    return found.f_frsize * found.f_blocks
