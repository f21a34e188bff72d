"""Errors of sources.

    UserError
    └── SourceFailed         a source can't be fetched: missing, unreachable, damaged
        ├── SourceMismatch   its content differs from its checksum
        └── SourceTimedOut   it sent nothing for too long

Registry errors are in `registry.errors`; a blob with a wrong digest is `content.blobs.DigestMismatch`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError


class SourceFailed(UserError):
    """A source of the build can't be fetched. `locked` is the key of its entry in the lock file, "" without one."""

    locked = ""


class SourceMismatch(SourceFailed):
    """A source's content differs from its checksum."""


class SourceTimedOut(SourceFailed):
    """A source sent nothing for too long."""
