"""Bounds on what the verifier reads of an image that anybody may have made."""

from __future__ import annotations

LONGEST_JSON = 8 << 20
"""Bytes of a manifest, an index or a config. Registries must take manifests of 4 MiB (distribution specification)."""
LONGEST_STATEMENT = 32 << 20
"""Bytes of an in-toto statement: those with a list of packages are the longest."""
DEEPEST_JSON = 100
DEEPEST_INDEX = 8
"""Indexes within indexes."""
LONGEST_PATH = 4096
"""PATH_MAX of Linux: a longer path can't be unpacked."""
LONGEST_EXTENSION = 1 << 20
"""Bytes of the records or the long name before a tar header, as in Go's `archive/tar`."""
MOST_MEMBERS = 200_000
"""Members of the archive around an image."""
MOST_FINDINGS = 1000
"""Findings that a report keeps of one archive."""


class Limits:
    """Limits that a user may raise: `layer` bytes and `entries` of one uncompressed layer."""

    __slots__ = ("entries", "layer")

    def __init__(self, layer: int = 32 << 30, entries: int = 2_000_000) -> None:
        self.layer = layer
        self.entries = entries
