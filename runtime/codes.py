"""Codes of errors in a solve: group R of the error codes, and E0903 (language spec, section 16). The front door's
`language/failures.py` words them (section 17)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import UserError

RUN_FAILED = "R0001"
SOURCE_FAILED = "R0002"
DIGEST_MISMATCH = "R0003"
MISSING_SECRET = "R0004"
TIMED_OUT = "R0005"
NOT_ALLOWED = "E0903"


def solve_code(error: UserError) -> str:
    """Return the code of an error from a solve or from the bridge, "" if it has none."""
    from pybuild.runtime.content.blobs import DigestMismatch
    from pybuild.runtime.export.selecting import NoSuchPath
    from pybuild.runtime.ops.entitlements import NotAllowed
    from pybuild.runtime.ops.failures import StepFailed
    from pybuild.runtime.ops.files.failures import SourceNotFound
    from pybuild.runtime.registry.errors import RegistryError, TimedOut
    from pybuild.runtime.session.types import MissingSecret
    from pybuild.runtime.sources.errors import SourceFailed, SourceMismatch, SourceTimedOut
    from pybuild.runtime.sources.expansion import Unresolvable

    # The first match counts: mismatches and time-outs are subclasses of SourceFailed.
    kinds = {
        RUN_FAILED: (StepFailed,),
        DIGEST_MISMATCH: (DigestMismatch, SourceMismatch),
        TIMED_OUT: (TimedOut, SourceTimedOut),
        SOURCE_FAILED: (SourceFailed, RegistryError, SourceNotFound, NoSuchPath, Unresolvable),
        MISSING_SECRET: (MissingSecret,),
        NOT_ALLOWED: (NotAllowed,),
    }
    return next((code for code, classes in kinds.items() if isinstance(error, classes)), "")
