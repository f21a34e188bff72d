"""Errors of sources.

    UserError
    └── SourceFailed         a source can't be had: it isn't there, can't be reached, is damaged
        ├── SourceMismatch   what it brought is not what its checksum says
        └── SourceTimedOut   it was silent for too long

The registry's are in `registry.errors`, a wrong digest of a blob is `content.blobs.DigestMismatch`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError


class SourceFailed(UserError):
    """A source of the build can't be had. `locked` is the key of the lock file's entry that pins it, "" without
    one."""

    locked = ""


class SourceMismatch(SourceFailed):
    """A source is not what its checksum says."""


class SourceTimedOut(SourceFailed):
    """A source was silent for longer than it may be."""
