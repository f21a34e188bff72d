"""Amounts of disk space, as buildkitd's configuration writes them."""

from __future__ import annotations

import os
import re

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_WITHOUT_DISK = 2_000_000_000


def parse_space(text: str) -> tuple[int, int]:
    """Return bytes, and percents of the disk if the bytes are 0. Raises ValueError.

    `512MB` (in powers of 1024), `1024`, `10%` and the empty text are amounts.
    """
    text = text.strip().strip('"')
    if not text:
        return 0, 0
    if text.endswith("%") and text[:-1].isdecimal():
        return 0, int(text[:-1])
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid disk space {text}")
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " ")), 0


def in_bytes(space: tuple[int, int], root: str) -> int:
    """Return the bytes of an amount on the disk of `root`; percents are rounded up to whole gigabytes."""
    count, percents = space
    if count or not percents:
        return count
    size = disk_size(root)
    # As buildkitd rounds: up to the next gibibyte, counted as gigabytes.
    return (size * percents // 100 // (1 << 30) + 1) * 1_000_000_000 if size else _WITHOUT_DISK


def disk_size(root: str) -> int:
    """Return the bytes of the disk that `root` is on, or will be on; 0 if they can't be known."""
    while not os.path.isdir(root) and root not in ("", "/"):
        root = os.path.dirname(root)
    try:
        disk = os.statvfs(root)
    except OSError:
        return 0
    return disk.f_frsize * disk.f_blocks
